# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for headnetctl

function __headnetctl_peers
    headnetctl peers 2>/dev/null | sed -n '2,$s/ .*//p'
end

function __headnetctl_tailnets
    headnetctl tailnet list 2>/dev/null | sed -e 's/  .*//'
end

function __headnetctl_settings
    headnetctl get 2>/dev/null | sed 's/=.*//'
end

set -l verbs up down login logout status peers peer check-server netcheck version ping watch wait set get tailnet
complete -c headnetctl -f
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a up -d 'Enrol if needed, connect and wait'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a down -d 'Disconnect'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a login -d 'Sign in without connecting'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a logout -d 'Give the enrolment up'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a status -d 'Show the state and what is wrong'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a peers -d 'List the peers'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a peer -d 'Show one peer'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a check-server -d 'Try each step of reaching a server'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a netcheck -d 'Look at the network'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a version -d 'Show versions'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a ping -d 'Ask a peer for an answer'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a watch -d 'Print a line for each event'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a wait -d 'Wait for a state'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a set -d 'Change settings'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a get -d 'Show settings'
complete -c headnetctl -n "not __fish_seen_subcommand_from $verbs" -a tailnet -d 'Manage the tailnets'
complete -c headnetctl -n "__fish_seen_subcommand_from $verbs" -s t -l tailnet -x -a '(__headnetctl_tailnets)' -d 'The tailnet meant'
complete -c headnetctl -n "__fish_seen_subcommand_from $verbs" -l json -d 'Print JSON'
complete -c headnetctl -n '__fish_seen_subcommand_from up' -l server -x -d 'The server'
complete -c headnetctl -n '__fish_seen_subcommand_from up login' -l auth-key-file -r -F -d 'A file with a pre-auth key'
complete -c headnetctl -n '__fish_seen_subcommand_from up check-server tailnet' -l ca -r -F -d 'The CA'
complete -c headnetctl -n '__fish_seen_subcommand_from up tailnet' -l hostname -x -d 'Name in the tailnet'
complete -c headnetctl -n '__fish_seen_subcommand_from up login wait' -l timeout -x -d 'Seconds'
complete -c headnetctl -n '__fish_seen_subcommand_from login' -l accept-server-key -d 'Trust a changed key'
complete -c headnetctl -n '__fish_seen_subcommand_from ping' -s c -l count -x -d 'How many'
complete -c headnetctl -n '__fish_seen_subcommand_from ping' -l kind -x -a 'icmp tsmp disco' -d 'What kind'
complete -c headnetctl -n '__fish_seen_subcommand_from ping peer peers' -a '(__headnetctl_peers)'
complete -c headnetctl -n '__fish_seen_subcommand_from wait' -l state -x -a 'stopped needs-login needs-approval starting running'
complete -c headnetctl -n '__fish_seen_subcommand_from wait' -l peer -x -a '(__headnetctl_peers)'
complete -c headnetctl -n '__fish_seen_subcommand_from set get' -a '(__headnetctl_settings)'
complete -c headnetctl -n '__fish_seen_subcommand_from tailnet' -a 'add list remove rename (__headnetctl_tailnets)'
complete -c headnetctl -n '__fish_seen_subcommand_from tailnet' -l name -x -d 'Its name'
