"""One module for each verb of the command line; host/verb_table.py is their table."""
