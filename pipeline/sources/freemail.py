"""E-mail providers whose domain says nothing about where a person works."""

# fmt: off
FREE_MAIL = frozenset((
    "126.com", "163.com", "aim.com", "aol.com", "att.net", "bellsouth.net", "bigpond.com",
    "bk.ru", "bluewin.ch", "btinternet.com", "charter.net", "comcast.net", "cox.net",
    "duck.com", "earthlink.net", "fastmail.com", "fastmail.fm", "foxmail.com", "free.fr",
    "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net",
    "googlemail.com", "hanmail.net", "hey.com", "hotmail.co.uk", "hotmail.com", "hotmail.de",
    "hotmail.es", "hotmail.fr", "hotmail.it", "icloud.com", "inbox.ru", "interia.pl",
    "laposte.net", "libero.it", "list.ru", "live.co.uk", "live.com", "live.fr", "live.nl",
    "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "naver.com", "o2.pl",
    "optonline.net", "orange.fr", "outlook.com", "outlook.de", "outlook.es", "outlook.fr",
    "pm.me", "posteo.de", "proton.me", "protonmail.ch", "protonmail.com", "qq.com",
    "rambler.ru", "rediffmail.com", "rocketmail.com", "sbcglobal.net", "seznam.cz", "sfr.fr",
    "shaw.ca", "sina.com", "skynet.be", "sky.com", "sympatico.ca", "t-online.de", "telenet.be",
    "terra.com.br", "tuta.com", "tutanota.com", "ukr.net", "uol.com.br", "verizon.net",
    "virgilio.it", "wanadoo.fr", "web.de", "wp.pl", "ya.ru", "yahoo.ca", "yahoo.co.in",
    "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.de", "yahoo.es",
    "yahoo.fr", "yahoo.it", "yandex.com", "yandex.ru", "ymail.com", "zoho.com",
))
# fmt: on
