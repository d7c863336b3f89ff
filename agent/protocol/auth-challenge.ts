/** One challenge of a `WWW-Authenticate` header: `Digest realm="…", nonce="…"`. Names in lower case. */
export type AuthChallenge = { scheme: string; params: ReadonlyMap<string, string> }

// A token, what follows it, and a value: RFC 9110, sections 5.6.2, 5.6.4 and 11.2. What is neither is skipped.
const piece = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/g

/**
 * Challenges in the order of the headers. One header may hold several, and devices separate them as they like:
 * a token with a value belongs to the scheme before it, one without begins the next.
 */
export function parseChallenges(headers: readonly string[]): AuthChallenge[] {
  const challenges: { scheme: string; params: Map<string, string> }[] = []
  for (const header of headers) {
    for (const [, name = '', quoted, bare] of header.matchAll(piece)) {
      const value = quoted?.replace(/\\(.)/g, '$1') ?? bare
      if (value === undefined) challenges.push({ scheme: name.toLowerCase(), params: new Map() })
      else challenges.at(-1)?.params.set(name.toLowerCase(), value)
    }
  }
  return challenges
}
