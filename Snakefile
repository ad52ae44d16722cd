include: "workflow/Snakefile"


# A root file that only includes has no first rule of its own, hence no default target.
workflow.default_target = "all"
