import { createHash } from 'node:crypto'
import { readdir, readFile, realpath } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'

/**
 * A number of this machine and this data directory, the same after each start: a copy of the directory on another
 * disk, machine or path has another (cloud/rows/agent-lease.ts). Hardware addresses are in it because disks are
 * cloned with their machine-id; those that the system made up itself are not, as they change.
 */
export async function machineInstance(data: string): Promise<string> {
  const id = await readFile('/etc/machine-id', 'utf8').catch(() => '')
  const parts = [id.trim(), hostname(), ...(await hardwareAddresses()), await realpath(data)]
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32)
}

const permanent = '0' // Linux, sysfs-class-net: addr_assign_type of an address that the hardware has.
const noAddress = '00:00:00:00:00:00'

async function hardwareAddresses(): Promise<string[]> {
  const root = '/sys/class/net'
  const names = await readdir(root).catch(() => undefined)
  if (names === undefined) return knownAddresses()
  const read = (name: string, file: string) =>
    readFile(join(root, name, file), 'utf8').then(
      (text) => text.trim(),
      () => '',
    )
  const found = names.map(async (name) =>
    (await read(name, 'addr_assign_type')) === permanent ? await read(name, 'address') : '',
  )
  return (await Promise.all(found)).filter((address) => address !== '' && address !== noAddress).sort()
}

function knownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const own = all.filter(({ internal, mac }) => !internal && mac !== noAddress && !isMadeUp(mac))
  return [...new Set(own.map(({ mac }) => mac))].sort()
}

/** The second bit of the first octet: administered locally, not by a maker (IEEE 802). */
function isMadeUp(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 2) !== 0
}
