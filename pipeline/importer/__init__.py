"""Raw files to the imported log: one step a module, `log.import_log` puts them in order."""
