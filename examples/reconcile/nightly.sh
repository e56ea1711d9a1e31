#!/bin/sh
# Reconciles the previous day. Run it shortly after midnight in the provider's time zone, with TZ set to this zone.
#
# PAYTEND_STORE names the store that contains the notifications. The orders are read from orders/DATE.jsonl. The fetched
# lists are written to fetched/DATE, and the report to reports/DATE.html and reports/DATE.txt.
set -u
profile=${PROFILE:-production}
export PAYTEND_CONFIG="${PAYTEND_CONFIG:-/etc/paytend/paytend.toml}"
rules=${RULES:-/etc/paytend/rules.toml}
day=$(date -d yesterday +%F)
before=$(date -d '2 days ago' +%F)
mkdir -p fetched reports
chmod 700 fetched reports

set -- --from "$day" --to "$day" --profile "$profile" --rules "$rules" \
  --orders "orders/$day.jsonl" --out "fetched/$day" --html "reports/$day.html"
opening=fetched/$before/lists/balances.json
if [ -e "$opening" ]; then
  set -- "$@" --opening "$opening"
fi

paytend reconcile "$@" > "reports/$day.txt"
case $? in
  0) echo "$day: nothing is open" ;;
  8)
    echo "$day: see reports/$day.html"
    exit 8
    ;;
  *)
    echo "$day: the comparison failed"
    exit 1
    ;;
esac
