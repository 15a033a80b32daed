#!/usr/bin/env bash
# Deploys into a real account, checks what docs/smoke-test-aws.md lists, and tears down. Never run by the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat >&2 <<'USAGE'
usage: scripts/smoke-test-aws.sh deploy | check | destroy

  AWS_REGION      where to (and credentials as the AWS CLI takes them)
  SMOKE_NAME      name of the deployment (sshtrail-smoke)
  SMOKE_TARGET    for check: LOGIN@TARGET that the gateway may reach
  SMOKE_KEY       for check: private key to get a certificate for (made where there is none)
USAGE
  exit 2
}

name="${SMOKE_NAME:-sshtrail-smoke}"
key="${SMOKE_KEY:-$HOME/.ssh/sshtrail-smoke}"
failed=0

need() { command -v "$1" >/dev/null || { echo "install $1 first" >&2; exit 2; }; }
ok() { echo "ok    $1"; }
bad() { echo "FAIL  $1"; failed=$((failed + 1)); }

stack_output() { # stack, output
  aws cloudformation describe-stacks --stack-name "$1" \
    --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue" --output text
}

deploy() {
  npm install --no-fund --no-audit
  npx cdk deploy --all --require-approval never -c name="$name" -c lockDays=1
}

signed() { # method, path, body file
  curl --silent --show-error --output /tmp/"$name".body --write-out '%{http_code}' --request "$1" \
    --aws-sigv4 "aws:amz:${AWS_REGION}:execute-api" --user "${AWS_ACCESS_KEY_ID}:${AWS_SECRET_ACCESS_KEY}" \
    ${AWS_SESSION_TOKEN:+--header "x-amz-security-token: ${AWS_SESSION_TOKEN}"} \
    --header 'content-type: application/json' ${3:+--data @"$3"} "${api}$2"
}

check() {
  : "${SMOKE_TARGET:?say which target: SMOKE_TARGET=LOGIN@NAME}"
  for program in aws curl jq ssh ssh-keygen; do need "$program"; done
  for stack in audit control proxy response observability; do
    status=$(aws cloudformation describe-stacks --stack-name "$name-$stack" --query 'Stacks[0].StackStatus' --output text)
    case "$status" in
      CREATE_COMPLETE | UPDATE_COMPLETE) ok "stack $name-$stack is complete" ;;
      *) bad "stack $name-$stack is $status" ;;
    esac
  done
  api=$(stack_output "$name-control" ApiUrl); api=${api%/}
  host=$(stack_output "$name-proxy" GatewayHost)
  bucket=$(stack_output "$name-audit" EvidenceBucketName)

  [ -f "$key" ] || ssh-keygen -q -t ed25519 -N '' -f "$key"
  jq -n --rawfile k "$key.pub" '{publicKey: $k}' > /tmp/"$name".request
  status=$(signed POST /v1/certificates /tmp/"$name".request)
  [ "$status" = 200 ] && ok 'a certificate by IAM' || bad "POST /v1/certificates answered $status: $(cat /tmp/"$name".body)"
  jq -r .certificate /tmp/"$name".body > "$key-cert.pub"
  echo "note  /v1/certificates/mfa answers $(signed POST /v1/certificates/mfa /tmp/"$name".request) (403 is right for credentials without MFA, 200 with)"

  session=$(ssh -i "$key" -o StrictHostKeyChecking=accept-new -o BatchMode=yes "$SMOKE_TARGET@$host" 'echo smoke-test' || true)
  [ "$session" = smoke-test ] && ok 'a session on the target' || bad "ssh said: $session"

  day=$(date -u +%F)
  for _ in $(seq 15); do
    objects=$(aws s3api list-objects-v2 --bucket "$bucket" --prefix "events/dt=$day/" --query 'KeyCount' --output text)
    [ "$objects" != 0 ] && break
    sleep 1
  done
  [ "$objects" != 0 ] && ok "the evidence bucket has $objects objects of today" || bad 'no event of today in the evidence bucket'

  first=$(aws s3api list-object-versions --bucket "$bucket" --prefix "events/dt=$day/" --max-items 1 --query 'Versions[0].[Key,VersionId]' --output text)
  read -r object version <<< "$first"
  if aws s3api delete-object --bucket "$bucket" --key "$object" --version-id "$version" >/dev/null 2>&1
  then bad "a version of $object could be deleted"
  else ok 'a locked version cannot be deleted'
  fi
  echo "then look at what docs/smoke-test-aws.md lists under 5 and 7 by hand"
  [ "$failed" = 0 ] || { echo "$failed failed" >&2; exit 1; }
}

destroy() { npx cdk destroy --all --force -c name="$name"; echo 'the evidence bucket stays: see "Tear down" in docs/guide-platform.md'; }

case "${1:-}" in
  deploy) need aws; deploy ;;
  check) check ;;
  destroy) destroy ;;
  *) usage ;;
esac
