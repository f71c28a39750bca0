#!/usr/bin/perl
# An SMSC on Net::SMPP, driven by lines of JSON: commands on stdin, events on
# stdout. It answers message ids in decimal and writes them in decimal, as text
# alone, in receipts.
use strict;
use warnings;
use Encode qw(encode decode);
use IO::Select;
use JSON::PP;
use Net::SMPP;

$| = 1;
my $json = JSON::PP->new->utf8->canonical;
my ($last_id, $throttle, $silent) = (4095, 0, 0);
my %gsm = ("\x{20ac}" => "\x1be", '{' => "\x1b(", '}' => "\x1b)", '@' => "\x00", '_' => "\x11");
my %from_gsm = reverse %gsm;

sub say_event { print $json->encode({@_}), "\n" }
sub to_octets {
    my ($text, $coding) = @_;
    return encode('UTF-16BE', $text) if $coding == 8;
    return encode('ISO-8859-1', $text) if $coding == 3;
    return join '', map { $gsm{$_} // $_ } split //, $text;
}
sub to_text {
    my ($octets, $coding) = @_;
    return decode('UTF-16BE', $octets) if $coding == 8;
    $octets =~ s/(\x1b.|[\x00\x11])/$from_gsm{$1} \/\/ $1/ges;
    return $octets;
}

my $server = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => 0x34) or die "listen: $!";
my $select = IO::Select->new($server, \*STDIN);
my %links;
say_event(event => 'listening', port => $server->sockport);

sub hang_up {
    my $link = shift;
    $select->remove($link);
    delete $links{$link};
    close $link;
}

sub submitted {
    my ($link, $pdu) = @_;
    if ($throttle > 0) {
        $throttle--;
        return $link->submit_sm_resp(message_id => '', status => 0x58, seq => $pdu->{seq});
    }
    my $id = ++$last_id;
    my ($udh, $octets) = ('', $pdu->{short_message});
    if ($pdu->{esm_class} & 0x40) {
        my $length = 1 + ord $octets;
        ($udh, $octets) = (substr($octets, 0, $length), substr($octets, $length));
    }
    say_event(
        event => 'submit', id => "$id", from => $pdu->{source_addr}, to => $pdu->{destination_addr},
        text => to_text($octets, $pdu->{data_coding}), udh => unpack('H*', $udh), coding => $pdu->{data_coding},
        validity => $pdu->{validity_period}, priority => $pdu->{priority_flag},
    );
    return if $silent;
    $link->submit_sm_resp(message_id => "$id", seq => $pdu->{seq});
    $link->deliver_sm(
        source_addr => $pdu->{destination_addr}, source_addr_ton => 1, destination_addr => $pdu->{source_addr}, dest_addr_ton => 1,
        esm_class => 4, short_message => sprintf('id:%010d sub:001 dlvrd:001 submit date:2611220000 done date:2611220000 stat:DELIVRD err:000 text:', $id),
    ) if $pdu->{registered_delivery};
}

my %replies = (
    0x01 => sub { bound(@_, 'bind_receiver_resp') },
    0x02 => sub { bound(@_, 'bind_transmitter_resp') },
    0x09 => sub { bound(@_, 'bind_transceiver_resp') },
    0x15 => sub { my ($link, $pdu) = @_; $link->enquire_link_resp(seq => $pdu->{seq}) },
    0x06 => sub { my ($link, $pdu) = @_; $link->unbind_resp(seq => $pdu->{seq}); say_event(event => 'unbind'); hang_up($link) },
    0x04 => \&submitted,
    0x80000005 => sub { say_event(event => 'answer', status => $_[1]{status}, command => 'deliver_sm_resp') },
    0x80000103 => sub { say_event(event => 'answer', status => $_[1]{status}, command => 'data_sm_resp') },
);
sub bound {
    my ($link, $pdu, $answer) = @_;
    my $good = $pdu->{system_id} eq 'deskbell' && $pdu->{password} eq 'secret';
    $link->$answer(system_id => 'perl', seq => $pdu->{seq}, status => $good ? 0 : 0x0e);
}

sub send_message {
    my ($link, $command) = @_;
    my %pdu = %{ $command->{pdu} };
    my $coding = $pdu{data_coding} // 0;
    my $udh = pack 'H*', delete $pdu{udh} // '';
    $pdu{esm_class} = 0x40 if length $udh;
    $pdu{short_message} = $udh . to_octets($pdu{short_message}, $coding) if defined $pdu{short_message};
    $pdu{message_payload} = to_octets($pdu{message_payload}, $coding) if defined $pdu{message_payload};
    $pdu{sar_msg_ref_num} = pack 'n', $pdu{sar_msg_ref_num} if defined $pdu{sar_msg_ref_num};
    for my $octet (qw(sar_total_segments sar_segment_seqnum)) {
        $pdu{$octet} = pack 'C', $pdu{$octet} if defined $pdu{$octet};
    }
    my $method = $command->{command};
    $link->$method(%pdu, source_addr_ton => 1, dest_addr_ton => 1, data_coding => $coding);
}

my %commands = (
    throttle => sub { $throttle = $_[0]{n} },
    silent => sub { $silent = $_[0]{on} ? 1 : 0 },
    drop => sub { hang_up($_) for values %links },
    send => sub { my $command = shift; send_message($_, $command) for values %links },
);

while (1) {
    for my $ready ($select->can_read) {
        if ($ready == $server) {
            my $link = $server->accept or next;
            $link->set_version(0x34);
            ${*$link}{$_} //= Net::SMPP::Default->{$_} for keys %{ Net::SMPP::Default() };
            ${*$link}{async} = 1;
            $links{$link} = $link;
            $select->add($link);
        } elsif ($ready == \*STDIN) {
            sysread(STDIN, my $read, 65536) or exit 0;
            our $input .= $read;
            while ($input =~ s/^(.*)\n//) {
                my $command = $json->decode($1);
                $commands{ $command->{do} }->($command);
                say_event(event => 'done');
            }
        } else {
            next unless $links{$ready};
            my $pdu = $ready->read_pdu;
            if (!$pdu) { hang_up($ready); next }
            my $reply = $replies{ $pdu->{cmd} };
            $reply->($ready, $pdu) if $reply;
        }
    }
}
