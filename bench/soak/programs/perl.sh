# perl: hashes, regular expressions, sorting, forks, and an ithread where perl has them.
needs perl
perl -e '
  my %h; $h{$_ % 7001}{"value $_"} = [1 .. $_ % 9] for 1 .. 120000; delete $h{$_} for 1 .. 3000;
  my $text = join " ", map { "word$_ " x ($_ % 5) } 1 .. 30000; my %count; $count{$1}++ while $text =~ /(\w+?)\d*\b/g;
  my $n = 0; $n += keys %$_ for values %h;
  print "$n ", scalar(keys %count), " ", join(",", (sort { $b cmp $a } keys %h)[0 .. 5]), "\n";
  for my $i (1 .. 30) { 
    my $pid = fork;
    if (!$pid) { my @l = map { "x" x $_ } 1 .. 500; exit scalar(@l) % 100 + $i % 3 }
    waitpid $pid, 0; print $? >> 8, " ";
  }
  print "\n"; exit 5' || echo "exit $?"
perl -MConfig -e 'exit !$Config{useithreads}' &&
  perl -Mthreads -e '
    sub filled { my $n = shift; my %h = map { $_ => "x" x $_ } 1 .. 500 * $n; scalar keys %h }
    print join(" ", map { $_->join } map { threads->create(\&filled, $_) } 1 .. 6), "\n"'
