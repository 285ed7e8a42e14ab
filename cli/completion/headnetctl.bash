# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for headnetctl

_headnetctl_peers() {
  headnetctl peers 2>/dev/null | sed -n '2,$s/ .*//p'
}

_headnetctl_tailnets() {
  headnetctl tailnet list 2>/dev/null | sed -e 's/  .*//'
}

_headnetctl() {
  local cur prev verb word options
  cur=${COMP_WORDS[COMP_CWORD]}
  prev=${COMP_WORDS[COMP_CWORD - 1]}
  verb=
  local skip=
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then
      skip=
      continue
    fi
    case $word in
      -t | --tailnet) skip=1 ;;
      -*) ;;
      *)
        verb=$word
        break
        ;;
    esac
  done
  COMPREPLY=()
  case $prev in
    --auth-key-file | -k | --ca)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return
      ;;
    --tailnet | -t)
      mapfile -t COMPREPLY < <(compgen -W "$(_headnetctl_tailnets)" -- "$cur")
      return
      ;;
    --state)
      mapfile -t COMPREPLY < <(compgen -W 'stopped needs-login needs-approval starting running' -- "$cur")
      return
      ;;
    --peer)
      mapfile -t COMPREPLY < <(compgen -W "$(_headnetctl_peers)" -- "$cur")
      return
      ;;
    --kind)
      mapfile -t COMPREPLY < <(compgen -W 'icmp tsmp disco' -- "$cur")
      return
      ;;
  esac
  options='--tailnet --json --help'
  case $verb in
    '') options='up down login logout status peers peer check-server netcheck version ping watch wait set get tailnet help --help --version --tailnet --json' ;;
    help) options='up down login logout status peers peer check-server netcheck version ping watch wait set get tailnet' ;;
    up) options+=' --server --auth-key-file --ca --hostname --timeout' ;;
    login) options+=' --auth-key-file --accept-server-key --timeout' ;;
    check-server) options+=' --ca' ;;
    ping) options+=" --count --kind $(_headnetctl_peers)" ;;
    peer | peers) options+=" $(_headnetctl_peers)" ;;
    wait) options+=' --state --peer --timeout' ;;
    set) options+=" $(headnetctl get 2>/dev/null | sed 's/=.*/=/')" ;;
    get) options+=" $(headnetctl get 2>/dev/null | sed 's/=.*//')" ;;
    tailnet) options+=" add list remove rename --name --ca --hostname $(_headnetctl_tailnets)" ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
  [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}

complete -F _headnetctl headnetctl
