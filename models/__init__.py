"""Everything fitted on training rows, and how it is judged. Nothing here touches the world."""
