/**
 * JSON Schema's `format` as patterns, each matching a part of what the format allows: real days only (no 29th of
 * February), no leap seconds, mail addresses and hosts of ASCII letters.
 */

const date = String.raw`\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))`
const clock = String.raw`(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?`
const zone = String.raw`(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)`
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?'
const host = String.raw`${label}(?:\.${label}){0,4}`
const octet = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
const uri = String.raw`https?://${host}(?:\.[a-z]{2,6})(?:/[A-Za-z0-9._~-]{1,40}){0,6}/?`

/** Names of formats and their patterns, without anchors. */
export const stringFormats: Readonly<Record<string, string>> = {
  date,
  time: `${clock}${zone}`,
  'date-time': `${date}T${clock}${zone}`,
  duration: String.raw`P(?:\d{1,4}W|\d{1,4}D(?:T(?:\d{1,4}H|\d{1,4}M|\d{1,4}S))?|T(?:\d{1,4}H|\d{1,4}M|\d{1,4}S))`,
  email: String.raw`[A-Za-z0-9](?:[A-Za-z0-9_-]{0,30}[A-Za-z0-9])?@${label}(?:\.${label}){0,2}\.[a-z]{2,6}`,
  hostname: host,
  ipv4: String.raw`${octet}(?:\.${octet}){3}`,
  ipv6: '[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}',
  uri,
  'uri-reference': uri,
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}',
}
