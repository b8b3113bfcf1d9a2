# Ends what `drover up` has started when `drover up` itself was killed and could not: reads lines from it on standard input,
# and when these end, asks all processes that it still watches to end, kills those that do not, and removes the folder.
#   watch PID | forget PID | remove FOLDER
trap '' INT TERM HUP
pids=' '
folder=''
while read -r verb value; do
  case $verb in
    watch) pids="$pids$value " ;;
    forget)
      rest=' '
      for pid in $pids; do
        [ "$pid" = "$value" ] || rest="$rest$pid "
      done
      pids=$rest
      ;;
    remove) folder=$value ;;
  esac
done
for pid in $pids; do
  kill -TERM "$pid" 2>/dev/null
done
for second in 1 2 3; do
  alive=''
  for pid in $pids; do
    kill -0 "$pid" 2>/dev/null && alive=yes
  done
  [ -n "$alive" ] || break
  sleep 1
done
for pid in $pids; do
  kill -KILL "$pid" 2>/dev/null
done
[ -z "$folder" ] || rm -rf "$folder"
