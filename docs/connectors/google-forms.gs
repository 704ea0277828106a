/**
 * Sends every response of this form (or sheet) to the bridge, signed with Standard Webhooks headers.
 * Project Settings > Script Properties: HOOK_URL, SECRET (whsec_ and the base64 of at least 24 random bytes).
 * Triggers > Add trigger > onFormSubmit.
 */
function onFormSubmit(e) {
  var properties = PropertiesService.getScriptProperties();
  var payload = { timestamp: new Date().toISOString() };
  if (e.response) {
    payload.formId = e.source.getId();
    payload.responseId = e.response.getId();
    payload.items = e.response.getItemResponses().map(function (item) {
      return { title: item.getItem().getTitle(), type: String(item.getItem().getType()), response: item.getResponse() };
    });
    var email = e.response.getRespondentEmail();
    if (email) payload.items.push({ title: 'Email', type: 'TEXT', response: email });
  } else {
    payload.formId = e.range.getSheet().getParent().getId();
    payload.responseId = payload.formId + '-' + e.range.getRow();
    payload.namedValues = e.namedValues;
  }
  var id = 'gf_' + payload.responseId;
  var body = JSON.stringify(payload);
  var secret = Utilities.base64Decode(properties.getProperty('SECRET').replace(/^whsec_/, ''));
  for (var attempt = 0; attempt < 3; attempt++) {
    var time = String(Math.floor(Date.now() / 1000));
    var signed = Utilities.newBlob(id + '.' + time + '.' + body).getBytes();
    var signature = Utilities.base64Encode(
      Utilities.computeHmacSignature(Utilities.MacAlgorithm.HMAC_SHA_256, signed, secret));
    try {
      var answer = UrlFetchApp.fetch(properties.getProperty('HOOK_URL'), {
        method: 'post', contentType: 'application/json', payload: body, muteHttpExceptions: true,
        headers: { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': 'v1,' + signature }
      });
      if (answer.getResponseCode() < 300) return;
    } catch (unreachable) {
      console.log('attempt ' + (attempt + 1) + ': ' + unreachable);
    }
    Utilities.sleep(5000 * (attempt + 1));
  }
  throw new Error('The bridge did not take response ' + id);
}
