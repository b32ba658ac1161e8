"""What `eleven suggest` finds in sets of models of the lab's people, beside what there is to find."""
