"""Processes that help the daemon when one is not fast enough: some accept, and one sends.

Accept processes answer ``POST /sms``. The daemon takes every connection, and gives those that post again and again to
them. Each reads and judges what is posted, and asks the daemon to keep it: the spool, the pace and the counts stay in
one place. Whatever else comes on such a connection goes back to the daemon with it.

Where many requests a second go to the provider, a process of its own asks it for the daemon, which keeps the rate and
writes down what came of it.
"""
