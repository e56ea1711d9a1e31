#!/bin/sh
# Compares the previous day. Run it shortly after midnight in the provider's time zone, with TZ set to this zone.
#
# The store of the notifications is in PAYTEND_STORE, and the orders are in orders/DATE.jsonl. The fetched lists are
# written to fetched/DATE, and the report to reports/DATE.html and reports/DATE.txt.
set -u
profile=${PROFILE:-production}
profile_file=${PROFILE_FILE:-/etc/paytend/paytend.toml}
rules=${RULES:-/etc/paytend/rules.toml}
day=$(date -d yesterday +%F)
before=$(date -d '2 days ago' +%F)
mkdir -p fetched reports
chmod 700 fetched reports

set -- --from "$day" --to "$day" --profile "$profile" --profile-file "$profile_file" --rules "$rules" \
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
