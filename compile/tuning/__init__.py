"""The autotuner, whose logs are the product.

record.py one result as a line of JSON, checked field by field
log.py    a file of records that neither a crash nor a second writer spoils
"""
