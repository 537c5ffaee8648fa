#!/bin/sh
# Stands where the K3s program would, in an image without one: the same command line and config file, the same files made
# at the same places, a real etcd, kube-apiserver and kube-controller-manager behind them. No node: what is said to the
# kubelet, to flannel and to the packaged components is taken and written down (/run/k3s/flags), and nothing comes of it.
set -eu
umask 077

complain() { echo "$*" >&2; exit 1; }

# --- what may be said (docs.k3s.io/cli/server), by how it is said
values=' data-dir write-kubeconfig write-kubeconfig-mode https-listen-port bind-address advertise-address cluster-cidr
 service-cidr cluster-dns cluster-domain service-node-port-range flannel-backend egress-selector-mode token token-file
 node-name node-ip node-external-ip resolv-conf snapshotter secrets-encryption-provider default-local-storage-path config log v '
switches=' secrets-encryption protect-kernel-defaults disable-network-policy disable-kube-proxy disable-scheduler
 disable-cloud-controller disable-helm-controller tls-san-security disable-apiserver-lb cluster-init embedded-registry selinux rootless debug '
lists=' disable tls-san kube-apiserver-arg kube-controller-manager-arg kube-scheduler-arg kube-proxy-arg kubelet-arg
 etcd-arg node-label node-taint '

is_in() { case "$1" in *[!a-z-]*) return 1 ;; esac; case $2 in *[[:space:]]"$1"[[:space:]]*) return 0 ;; esac; return 1; }
flags=/run/k3s/flags
newline='
'

# set NAME VALUE SOURCE: a value of the command line goes before one of the file, and its list before the file's whole list.
set_flag() {
  if is_in "$1" "$lists"; then
    [ "$3" = file ] || sed -i "/^file	$1	/d" $flags
  elif is_in "$1" "$values" || is_in "$1" "$switches"; then
    sed -i "/	$1	/d" $flags
  else
    return 1
  fi
  case $2 in *"$newline"*) complain "the stand-in takes no value of several lines: $1" ;; esac
  printf '%s\t%s\t%s\n' "$3" "$1" "$2" >> $flags
}
all() { sed -n "s/^[a-z]*	$1	//p" $flags; }
value() { all "$1" | tail -n 1 | grep . || echo "$2"; }
is_on() { [ "$(value "$1" false)" = true ]; }
each() { all "$1" | tr ',' '\n'; }

# --- the config file: keys without dashes, a list for what may be said again
read_config() {
  [ -f "$1" ] || return 0
  awk '
    function bare(text) {
      sub(/^[ \t]+/, "", text); sub(/[ \t]+$/, "", text)
      if (text ~ /^".*"$/ || text ~ /^\047.*\047$/) text = substr(text, 2, length(text) - 2)
      return text
    }
    /^[ \t]*(#|$)/ || /^---$/ { next }
    /^[a-z-]+:[ \t]*$/ { key = $0; sub(/:.*/, "", key); next }
    /^[ \t]*- / { item = $0; sub(/^[ \t]*- /, "", item); print key "\t" bare(item); next }
    /^[a-z-]+: *[^[{|>&*]/ { key = $0; sub(/:.*/, "", key); item = $0; sub(/^[a-z-]+:/, "", item); print key "\t" bare(item); next }
    { print "line " NR ": " $0 > "/dev/stderr"; exit 1 }
  ' "$1" > /run/k3s/config || complain "$1: the stand-in reads keys, values and lists of one level only"
  while IFS='	' read -r key item; do
    set_flag "$key" "$item" file || complain "Incorrect Usage: flag provided but not defined: -$key ($1)"
  done < /run/k3s/config
}

read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --*=*) name=${1%%=*} name=${name#--} item=${1#*=} ;;
      --*)
        name=${1#--} item=true
        if is_in "$name" "$values" || is_in "$name" "$lists"; then
          [ $# -gt 1 ] || complain "Incorrect Usage: flag needs an argument: -$name"
          item=$2
          shift
        fi ;;
      *) complain "Incorrect Usage: $1 is no flag" ;;
    esac
    set_flag "$name" "$item" argument || complain "Incorrect Usage: flag provided but not defined: -$name"
    shift
  done
}

# --- certificates
authority() { # NAME
  [ -f "$tls/$1.key" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=k3s-$1" \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign -keyout "$tls/$1.key" -out "$tls/$1.crt" 2>/dev/null
}
certificate() { # NAME AUTHORITY SUBJECT USE [NAMES]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$tls/$1.key" -out /run/k3s/csr 2>/dev/null
  { echo "extendedKeyUsage=$4"; [ -z "${5-}" ] || echo "subjectAltName=$5"; } > /run/k3s/extensions
  openssl x509 -req -in /run/k3s/csr -CA "$tls/$2.crt" -CAkey "$tls/$2.key" -days 365 -set_serial "0x$(random 8)" \
    -extfile /run/k3s/extensions -out "$tls/$1.crt" 2>/dev/null
}
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

names() {
  for name in localhost kubernetes kubernetes.default kubernetes.default.svc "kubernetes.default.svc.$domain" \
    127.0.0.1 ::1 "$service_address" "$(hostname)" $(hostname -i) $(each tls-san); do
    case $name in
      *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) printf 'IP:%s,' "$name" ;;
      *) printf 'DNS:%s,' "$name" ;;
    esac
  done | sed 's/,$//'
}

kubeconfig() { # CERTIFICATE
  cat << END
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: $(base64 -w0 "$tls/server-ca.crt")
    server: https://127.0.0.1:$port
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    client-certificate-data: $(base64 -w0 "$tls/$1.crt")
    client-key-data: $(base64 -w0 "$tls/$1.key")
END
}

encryption_config() {
  provider=$(value secrets-encryption-provider aescbc)
  case $provider in aescbc | secretbox) ;; *) complain "secrets-encryption-provider: $provider" ;; esac
  [ -f "$1" ] || printf '{"kind":"EncryptionConfiguration","apiVersion":"apiserver.config.k8s.io/v1","resources":[{"resources":["secrets"],"providers":[{"%s":{"keys":[{"name":"%skey","secret":"%s"}]}},{"identity":{}}]}]}' \
    "$provider" "$provider" "$(head -c 32 /dev/urandom | base64 -w0)" > "$1"
}

# --- programs: what was said for one goes before its own arguments, which stand on stdin, one a line
start() { # NAME LIST
  name=$1
  awk -v said="$(all "$2" | tr '\n' '\037')" '
    BEGIN { n = split(said, list, "\037"); for (i = 1; i <= n; i++) if (list[i] != "") { print "--" list[i]; key = list[i]; sub(/=.*/, "", key); taken[key] = 1 } }
    { key = $0; sub(/=.*/, "", key); if (!(key in taken)) print "--" $0 }
  ' > "/run/k3s/$name"
  set --
  while IFS= read -r argument; do set -- "$@" "$argument"; done < "/run/k3s/$name"
  "$name" "$@" &
  eval "pid_$(echo "$name" | tr - _)=$!"
}
ask() { # PATH: the answer, by the administrator's certificate
  printf 'GET %s HTTP/1.0\r\n\r\n' "$1" | openssl s_client -quiet -verify_return_error -connect "127.0.0.1:$port" \
    -CAfile "$tls/server-ca.crt" -cert "$tls/client-admin.crt" -key "$tls/client-admin.key" 2>/dev/null
}
await() { # SECONDS COMMAND…
  tries=$(($1 * 5))
  shift
  until "$@" > /dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "level=fatal msg=\"waited in vain: $*\"" >&2; stop 1; }
    pause 0.2
  done
}
pause() { sleep "$1" & wait $!; }
ready() { ask /readyz | grep -q '^ok'; }

stop() { # CODE
  trap '' TERM INT
  for pid in ${pid_kube_controller_manager-} ${pid_kube_apiserver-} ${pid_etcd-}; do
    kill "$pid" 2>/dev/null && wait "$pid" || true
  done
  echo 'level=info msg="Shutdown completed"'
  exit "$1"
}

settings() {
  data=$(value data-dir /var/lib/rancher/k3s)/server
  tls=$data/tls cred=$data/cred port=$(value https-listen-port 6443) domain=$(value cluster-domain cluster.local)
  service_cidr=$(value service-cidr 10.43.0.0/16)
  service_address=$(echo "$service_cidr" | sed 's#[0-9]*/.*#1#')
}

server() {
  mkdir -p /run/k3s && : > $flags
  settings_file=/etc/rancher/k3s/config.yaml
  for argument in "$@"; do case $argument in --config=*) settings_file=${argument#*=} ;; esac; done
  read_config "$settings_file"
  read_arguments "$@"
  settings
  mkdir -p "$tls" "$cred" "$data/db/etcd"
  trap 'stop 0' TERM INT
  echo "level=info msg=\"Starting k3s $(cat /etc/k3s-version)\""

  authority server-ca
  authority client-ca
  certificate serving-kube-apiserver server-ca /CN=kube-apiserver serverAuth "$(names)"
  [ -f "$tls/client-admin.crt" ] || certificate client-admin client-ca /O=system:masters/CN=system:admin clientAuth
  certificate client-controller client-ca /CN=system:kube-controller-manager clientAuth
  [ -f "$tls/service.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$tls/service.key"
  [ -f "$data/token" ] || echo "K10$(random 16)::server:$(value token "$(random 16)")" > "$data/token"
  kubeconfig client-controller > "$cred/controller.kubeconfig"

  start etcd etcd-arg << END
data-dir=$data/db/etcd
listen-client-urls=http://127.0.0.1:2379
advertise-client-urls=http://127.0.0.1:2379
listen-peer-urls=http://127.0.0.1:2380
log-level=warn
END
  await 60 wget -qO- http://127.0.0.1:2379/health

  encryption=
  if is_on secrets-encryption; then
    encryption_config "$cred/encryption-config.json"
    encryption="encryption-provider-config=$cred/encryption-config.json"
  fi
  start kube-apiserver kube-apiserver-arg << END
etcd-servers=http://127.0.0.1:2379
secure-port=$port
bind-address=$(value bind-address 0.0.0.0)
advertise-address=$(value advertise-address "$(hostname -i | cut -d ' ' -f 1)")
service-cluster-ip-range=$service_cidr
client-ca-file=$tls/client-ca.crt
tls-cert-file=$tls/serving-kube-apiserver.crt
tls-private-key-file=$tls/serving-kube-apiserver.key
service-account-issuer=https://kubernetes.default.svc.$domain
service-account-key-file=$tls/service.key
service-account-signing-key-file=$tls/service.key
api-audiences=https://kubernetes.default.svc.$domain,k3s
authorization-mode=Node,RBAC
enable-admission-plugins=NodeRestriction
anonymous-auth=false
allow-privileged=true
profiling=false
${encryption:-v=0}
END
  await 180 ready

  kubeconfig_path=$(value write-kubeconfig /etc/rancher/k3s/k3s.yaml)
  mkdir -p "${kubeconfig_path%/*}"
  kubeconfig client-admin > "$kubeconfig_path"
  chmod "$(value write-kubeconfig-mode 0600)" "$kubeconfig_path"
  echo "level=info msg=\"Wrote kubeconfig $kubeconfig_path\""

  ! command -v kube-controller-manager > /dev/null || start kube-controller-manager kube-controller-manager-arg << END
kubeconfig=$cred/controller.kubeconfig
authentication-kubeconfig=$cred/controller.kubeconfig
authorization-kubeconfig=$cred/controller.kubeconfig
root-ca-file=$tls/server-ca.crt
service-account-private-key-file=$tls/service.key
cluster-signing-cert-file=$tls/client-ca.crt
cluster-signing-key-file=$tls/client-ca.key
cluster-cidr=$(value cluster-cidr 10.42.0.0/16)
service-cluster-ip-range=$service_cidr
use-service-account-credentials=true
leader-elect=false
bind-address=127.0.0.1
profiling=false
END
  echo 'level=info msg="k3s is up and running"'
  while :; do
    pause 1
    for pid in $pid_etcd $pid_kube_apiserver ${pid_kube_controller_manager-}; do
      kill -0 "$pid" 2>/dev/null || { echo 'level=fatal msg="a part of the control plane ended"' >&2; stop 1; }
    done
  done
}

kubectl() {
  [ "${1-} ${2-}" = "get --raw" ] && [ $# = 3 ] || complain "the stand-in's kubectl knows: get --raw PATH"
  settings
  answer=$(ask "$3") && echo "$answer" | grep -q '^HTTP/1.. 200' || complain "Error from server"
  echo "$answer" | sed '1,/^.$/d'
}

case ${0##*/} in kubectl) set -- kubectl "$@" ;; esac
command=${1-}
[ $# = 0 ] || shift
case $command in
  server) server "$@" ;;
  kubectl) kubectl "$@" ;;
  --version) echo "k3s version $(cat /etc/k3s-version)" ;;
  *) complain "the stand-in for K3s knows: server, kubectl, --version" ;;
esac
