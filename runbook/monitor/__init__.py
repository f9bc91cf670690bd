"""What a log says, what is usual in it, and when it says more of it than that: pure parts."""
