//! The `curl` lines that play a ticket's life by hand.

use crate::seed::Demo;

/// Lines to paste into a shell, in order.
pub fn tour(url: &str, demo: &Demo) -> String {
    format!(
        r#"
A ticket's life by hand:

  CALLBOARD={url}
  token() {{ curl -s $CALLBOARD/v1/sessions:developmentToken --json '{{"email":"'$1'"}}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["tokens"]["accessToken"])'; }}
  field() {{ python3 -c 'import json,sys; print(json.load(sys.stdin)["'$1'"])'; }}

  # Somebody scans the code and asks for help.
  VISITOR=$(curl -s $CALLBOARD/v1/codes:scan --json '{{"code":"{code}"}}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["tokens"]["accessToken"])')
  TICKET=$(curl -s $CALLBOARD/v1/tickets -H "Authorization: Bearer $VISITOR" --json '{{"flowId":"{flow}","open":true,"answers":[{{"step":"what","text":"No coffee"}},{{"step":"part","choice":"pump"}}]}}' | field id)

  # A moment later Nora has an offer, and accepts.
  NORA=$(token {nora})
  until OFFER=$(curl -s $CALLBOARD/v1/tickets/$TICKET/dispatch -H "Authorization: Bearer $NORA" | field ownOfferId 2>/dev/null); do sleep 0.1; done
  curl -s $CALLBOARD/v1/offers/$OFFER:accept -H "Authorization: Bearer $NORA" -X POST
  curl -s $CALLBOARD/v1/tickets/$TICKET:setStatus -H "Authorization: Bearer $NORA" --json '{{"status":"DONE"}}'

  # A moment later the visitor is asked, and rates; the ticket closes by itself.
  until curl -sf $CALLBOARD/v1/tickets/$TICKET/rating:submit -H "Authorization: Bearer $VISITOR" --json '{{"score":5}}'; do sleep 0.1; done
  curl -s $CALLBOARD/v1/tickets/$TICKET/view -H "Authorization: Bearer $NORA"
"#,
        code = demo.coffee_code,
        flow = demo.repair_flow,
        nora = demo.email("nora"),
    )
}
