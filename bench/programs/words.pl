# Counts, splits, joins and sorts words, as Perl programs do.
#
#     perl words.pl ROUNDS

use strict;
use warnings;

my ($rounds) = @ARGV;
my $state = 12345;

sub word {
  $state = ($state * 1103515245 + 12345) % 2147483648;
  return "w" . ($state >> 8) % 5000;
}

my %total;
for my $round (1 .. $rounds) {
  my $text = join " ", map { word() } 1 .. 4000;
  my (%count, %neighbours);
  my $last = "";
  for my $word (split / /, $text) {
    $count{$word}++;
    push @{ $neighbours{$word} }, $last;
    $last = $word;
  }
  my @ranking = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
  $total{$_} += $count{$_} for @ranking[0 .. 99];
  (my $changed = $text) =~ s/w(\d)(\d+)/x$2-$1/g;
  $total{ length $changed }++;
}
