import { lookup } from 'node:dns/promises'
import { BlockList, isIP, isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { AppError } from '../../shared/error.ts'
import { mappedIpv4 } from './mapped-ipv4.ts'

/** Where to connect: always an address, never a name that would be looked up once more. */
export type CameraAddress = { address: string; family: 4 | 6; port: number }

export type CameraGuard = {
  /**
   * Looks a host up once. `Unavailable` when it has no address, `PermissionDenied` when it has none to which this
   * agent connects (DESIGN.md, Doors).
   */
  resolve(host: string, port: number, signal: AbortSignal): Promise<CameraAddress>
}

export type CameraGuardOptions = {
  /** CIDRs, addresses, or one port of an address, from `cameras.allow`: they go before every refusal. */
  allow: readonly string[]
  /** Ports on which this program listens. */
  ownPorts: () => readonly number[]
  lookup?: (host: string) => Promise<readonly { address: string }[]>
  ownAddresses?: () => readonly string[]
}

type Refusal = { en: string; zh: string }

const refusals: [Refusal, (readonly [string, number])[]][] = [
  [
    { en: 'is this machine itself', zh: '是本机地址' },
    [
      ['127.0.0.0', 8],
      ['0.0.0.0', 8],
      ['::', 127],
    ],
  ],
  // Where clouds give out credentials: AWS, GCP and Azure within 169.254, Azure's host, Alibaba, AWS by IPv6.
  [
    { en: 'is the metadata service of a cloud', zh: '是云平台的元数据服务' },
    [
      ['169.254.169.254', 32],
      ['169.254.170.2', 32],
      ['168.63.129.16', 32],
      ['100.100.100.200', 32],
      ['fd00:ec2::254', 128],
    ],
  ],
  [
    { en: 'is link-local', zh: '是链路本地地址' },
    [
      ['169.254.0.0', 16],
      ['fe80::', 10],
    ],
  ],
  [
    { en: 'is no address of one machine', zh: '不是单个主机的地址' },
    [
      ['224.0.0.0', 4],
      ['240.0.0.0', 4],
      ['ff00::', 8],
    ],
  ],
]

const refusedLists = refusals.map(([refusal, ranges]) => ({ refusal, list: listOf(ranges) }))

export function createCameraGuard(options: CameraGuardOptions): CameraGuard {
  const withPort = options.allow.filter((text) => portOf(text) !== undefined)
  const allowed = listOf(options.allow.filter((text) => !withPort.includes(text)).map(parseCidr))
  const allows = (address: string, port: number) =>
    holds(allowed, address) ||
    withPort.some((text) => portOf(text) === port && holds(listOf([parseCidr(withoutPort(text))]), address))
  const find = options.lookup ?? ((host) => lookup(host, { all: true, verbatim: true }))
  const own = options.ownAddresses ?? ownAddresses
  const refusalOf = (address: string, port: number): Refusal | undefined => {
    if (allows(address, port)) return undefined
    const known = refusedLists.find(({ list }) => holds(list, address))
    if (known) return known.refusal
    const isOwn = options.ownPorts().includes(port) && own().includes(address)
    return isOwn ? { en: 'is this agent itself', zh: '是本代理自身的端口' } : undefined
  }
  return {
    resolve: async (host, port, signal) => {
      const found = await abortable(lookUp(host, find), signal)
      const addresses = found.map(({ address }) => mappedIpv4(address))
      const open = addresses.find((address) => !refusalOf(address, port))
      if (open !== undefined) return { address: open, family: isIPv4(open) ? 4 : 6, port }
      const [first = host] = addresses
      throw refused(host, first, refusalOf(first, port))
    },
  }
}

async function lookUp(host: string, find: NonNullable<CameraGuardOptions['lookup']>) {
  const literal = host.replace('%25', '%')
  if (isIP(literal)) return [{ address: literal }]
  const found = await find(host).catch((cause) => {
    throw unknownHost(host, cause)
  })
  if (found.length === 0) throw unknownHost(host)
  return found
}

/** A lookup cannot be taken back; nobody waits for it any longer. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function unknownHost(host: string, cause?: unknown): AppError {
  return new AppError(
    'Unavailable',
    `camera: the name ${host} was not found; check it, or give the address`,
    {
      cause,
      zh: `摄像机：找不到主机 ${host}，请检查名称或改用地址。`,
    },
  )
}

function refused(host: string, address: string, refusal: Refusal | undefined): AppError {
  const shown = host === address ? address : `${host} (${address})`
  const why = refusal ?? { en: 'is refused', zh: '被拒绝' }
  const message = `camera: ${shown} ${why.en}; if that is meant, list it under cameras.allow in the configuration`
  return new AppError('PermissionDenied', message, {
    zh: `摄像机：${shown} ${why.zh}；如确需连接，请在配置 cameras.allow 中列出。`,
  })
}

const portPattern = /^(?:\[(.+)\]|([^:]+)):([0-9]{1,5})$/

/** Of `127.0.0.1:8554` and `[::1]:8554`; undefined for what has none. */
function portOf(text: string): number | undefined {
  const match = portPattern.exec(text)
  return match ? Number(match[3]) : undefined
}

function withoutPort(text: string): string {
  return text.replace(portPattern, '$1$2')
}

/** `10.0.0.0/8`, `fd00::/8` or one address. */
function parseCidr(text: string): readonly [string, number] {
  const [address = '', bits] = text.split('/', 2)
  return [address, bits === undefined ? (isIPv4(address) ? 32 : 128) : Number(bits)]
}

function listOf(ranges: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [address, bits] of ranges) list.addSubnet(address, bits, isIPv4(address) ? 'ipv4' : 'ipv6')
  return list
}

function holds(list: BlockList, address: string): boolean {
  const plain = address.replace(/%.*$/, '')
  return list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6')
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).map(({ address }) => address),
  )
}
