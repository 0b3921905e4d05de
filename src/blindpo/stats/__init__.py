"""Where the plus-minus comes from: intervals, cluster and seed bootstraps, paired tests. numpy and scipy alone."""
