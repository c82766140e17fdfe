"""The pages that describe this API and what travels over MQTT, with everything they show from here.

They are public, as the documents are that they show: there is no secret in them, and
whoever reads them may do nothing yet.
"""
