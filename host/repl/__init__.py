"""The REPL: `session` is what it does, `prompt` the terminal around it, `piped` what is there without one.

Everything that is not one of those three, or `store`, is text in, text out.
"""
