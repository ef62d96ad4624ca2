"""Accept processes: they answer ``POST /sms`` beside the daemon when one process is not fast enough.

The daemon takes every connection, and gives those that post again and again to its accept processes. Each of them reads
and judges what is posted, and asks the daemon to keep it: the spool, the pace and the counts stay in one place.
Whatever else comes on such a connection goes back to the daemon with it.
"""
