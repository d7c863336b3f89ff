import { isIPv6 } from 'node:net'

// IPv4-mapped, IPv4-compatible, NAT64 (RFC 6052) and 6to4: other ways to write an IPv4 address.
const embedding: [prefix: string, groupAt: number][] = [
  ['0:0:0:0:0:ffff', 6],
  ['0:0:0:0:ffff:0', 6],
  ['0:0:0:0:0:0', 6],
  ['64:ff9b:0:0:0:0', 6],
  ['2002', 1],
]

/** The IPv4 address that an IPv6 address stands for, otherwise the address as it is. */
export function mappedIpv4(address: string): string {
  if (!isIPv6(address) || address.includes('%')) return address
  const groups = groupsOf(address)
  if (groups.slice(0, 7).every((group) => group === 0) && (groups[7] ?? 0) <= 1) return address // `::` and `::1`.
  const text = groups.map((group) => group.toString(16)).join(':')
  const found = embedding.find(([prefix]) => text.startsWith(`${prefix}:`))
  if (!found) return address
  const [high = 0, low = 0] = groups.slice(found[1], found[1] + 2)
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

function groupsOf(address: string): number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::', 2)
  const left = parse(head)
  if (tail === undefined) return left
  const right = parse(tail)
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}

function parse(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
}
