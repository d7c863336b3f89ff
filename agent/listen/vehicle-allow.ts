import { BlockList, isIP } from 'node:net'
import { AppError } from '../../shared/error.ts'
import { mappedIpv4 } from '../ingest/mapped-ipv4.ts'
import { isLoopbackAddress } from './guard.ts'

type Entry = { sim?: string; addresses?: BlockList }

/** Who may be a vehicle. */
export type VehicleAllow = {
  /** Whether any SIM is admitted from this address: known before the first byte. */
  address(address: string): boolean
  vehicle(sim: string, address: string): boolean
  /** Whether it is admitted from anywhere: no other is worth a call. */
  sim(sim: string): boolean
  /** Beyond this machine. */
  readonly beyondLoopback: boolean
}

/**
 * An entry is a SIM (leading zeros or not), an address or a network, or `SIM@network`, which demands both. Each admits
 * for itself. This machine needs none, unless SIMs are listed: then only those are vehicles, from here, too.
 * `InvalidArgument` for an entry that is none of these.
 */
export function vehicleAllow(list: readonly string[]): VehicleAllow {
  const entries = list.map(parseEntry)
  const loopback = entries.every(({ sim }) => sim === undefined)
  const fits = ({ addresses }: Entry, address: string) =>
    addresses === undefined || contains(addresses, address)
  return {
    beyondLoopback: entries.length > 0,
    address: (address) =>
      (loopback && isLoopbackAddress(address)) || entries.some((entry) => fits(entry, address)),
    vehicle: (sim, address) =>
      (loopback && isLoopbackAddress(address)) ||
      entries.some((entry) => (entry.sim === undefined || entry.sim === bare(sim)) && fits(entry, address)),
    sim: (sim) => loopback || entries.some((entry) => entry.sim === undefined || entry.sim === bare(sim)),
  }
}

const simDigits = /^[0-9a-f]{4,20}$/i

function parseEntry(text: string): Entry {
  const [head = '', network, ...rest] = text.split('@')
  if (rest.length > 0) throw notAnEntry(text)
  if (network !== undefined) {
    if (!simDigits.test(head)) throw notAnEntry(text)
    return { sim: bare(head), addresses: parseNetwork(network, text) }
  }
  if (simDigits.test(head)) return { sim: bare(head) }
  return { addresses: parseNetwork(head, text) }
}

function parseNetwork(network: string, text: string): BlockList {
  const [address = '', prefix, ...rest] = network.split('/')
  const version = isIP(address)
  const bits = version === 6 ? 128 : 32
  const length = prefix === undefined ? bits : Number(prefix)
  const isLength = prefix === undefined || (/^\d{1,3}$/.test(prefix) && length <= bits)
  if (version === 0 || rest.length > 0 || !isLength) throw notAnEntry(text)
  const list = new BlockList()
  list.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4')
  return list
}

function contains(list: BlockList, address: string): boolean {
  const plain = mappedIpv4(address)
  const version = isIP(plain)
  return version !== 0 && list.check(plain, version === 6 ? 'ipv6' : 'ipv4')
}

/** A SIM of 2016 has 12 digits, one of 2019 has 20: the same number stands behind more or fewer zeros. */
function bare(sim: string): string {
  return sim.toLowerCase().replace(/^0+/, '')
}

function notAnEntry(text: string): AppError {
  const shown = text.slice(0, 60)
  return new AppError(
    'InvalidArgument',
    `${JSON.stringify(shown)} is neither a SIM of digits, an address or network like 10.0.0.0/8, nor SIM@network`,
    { zh: `${JSON.stringify(shown)} 不是 SIM 卡号、IP 地址或网段，也不是 SIM@网段。` },
  )
}
