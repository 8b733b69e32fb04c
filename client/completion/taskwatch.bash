# Completion of taskwatch's command line for bash. To use it: source this file, for example from ~/.bashrc, or copy it to
# /usr/share/bash-completion/completions/taskwatch.

_taskwatch() {
  local commands='get watch wait health'
  local flags='--server= --output= --deadline= --timeout= --tls --tls_ca_file= --tls_cert_file= --tls_key_file=
    --tls_server_name= --token_file= --help'
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]-} flag='' value='' word
  COMPREPLY=()

  # Readline splits --flag=value at the equals sign.
  if [[ $current == '=' ]]; then
    flag=$before
  elif [[ $before == '=' ]]; then
    flag=${COMP_WORDS[COMP_CWORD - 2]-} value=$current
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
    if [[ ${COMPREPLY[*]} == *= ]]; then
      compopt -o nospace 2>/dev/null
    fi
    return
  fi

  case $flag in
    '')
      for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
        [[ " $commands " != *" $word "* ]] || return
      done
      mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
      ;;
    --output) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$value") ;;
    --*_file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$value")
      ;;
  esac
}

complete -F _taskwatch taskwatch
