"""From run folders to numbers: tidy results, statistics, tables, measurements and claims."""
