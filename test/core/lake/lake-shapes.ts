/** What the raw records look like to CloudTrail Lake, made of DuckDB's `ssh_records`. */
export const lakeShapedRecords = `(SELECT CAST(CAST(eventTime AS TIMESTAMPTZ) AS TIMESTAMP) AS eventtime, awsRegion AS awsregion, struct_pack(
    uid := eventID, eventtime := substr(eventTime, 1, 19), eventsource := eventSource, eventname := eventName,
    recipientaccountid := recipientAccountId, sourceipaddress := sourceIPAddress, useragent := userAgent,
    errorcode := errorCode, errormssage := errorMessage,
    useridentity := struct_pack(type := userIdentity.type, principalid := userIdentity.principalId,
      details := map_from_entries([{'k': 'userName', 'v': userIdentity.userName}, {'k': 'arn', 'v': userIdentity.arn}])),
    requestparameters := requestParameters, responseelements := responseElements,
    additionaleventdata := additionalEventData) AS eventdata FROM ssh_records)`;
