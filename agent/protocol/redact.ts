// Some cameras take them in the path: `/user=admin_password=x_channel=1.sdp`.
const secretKeys =
  /([?&/_;](?:pass|passwd|password|pwd|pw|token|secret|key|apikey|auth|sig|signature|user|username)=)[^&#\s]*/gi
const address = /\b([a-z][a-z0-9+.-]*:\/\/)(\S*)/gi

/**
 * An address without its credentials, whatever it is: everything before the last `@` is taken out, in
 * `hik://host:port/user:pass@main` what stands between the host and it. `text` need not be well-formed.
 */
export function redactUri(text: string): string {
  const mark = text.indexOf('://')
  if (mark < 0) return text.includes('@') ? `***${text.slice(text.lastIndexOf('@'))}` : text
  const scheme = text.slice(0, mark + 3)
  const rest = text.slice(mark + 3)
  const at = rest.lastIndexOf('@')
  if (at < 0) return scheme + maskKeys(rest)
  const slash = rest.indexOf('/')
  const host = /^(hik|dahua):/i.test(scheme) && slash >= 0 && slash < at ? rest.slice(0, slash + 1) : ''
  return `${scheme}${host}***${maskKeys(rest.slice(at))}`
}

/** The same for every address in a text: messages of errors, lines of a log. */
export function redactText(text: string): string {
  return text.replace(address, (found) => redactUri(found))
}

function maskKeys(text: string): string {
  return text.replace(secretKeys, '$1***')
}
