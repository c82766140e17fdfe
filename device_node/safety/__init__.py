"""The device's own check: what its owner allows, whoever asks and whatever the network says.

`policy` is what the owner wrote, `check` judges a call by its text, `fence` and
`folder` hold every use of a file inside the allowed folders while it happens.
"""
