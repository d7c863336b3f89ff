/**
 * The head of a 64-bit little-endian ELF file (System V ABI, "ELF Header"; `man 5 elf`).
 *
 *   0   7f 45 4c 46   02 64-bit   01 little-endian
 *   18  e_machine u16 · 32 e_phoff u64 · 54 e_phentsize u16 · 56 e_phnum u16
 *
 * Each program header begins with p_type u32; type 3 (PT_INTERP) names the loader of shared libraries.
 */
export type Elf = { arch: 'x86_64' | 'arm64' | 'other'; isDynamic: boolean }

const magic = Buffer.from('7f454c460201', 'hex')
const machines: Record<number, Elf['arch']> = { 62: 'x86_64', 183: 'arm64' }
const interpreter = 3

/** Undefined when it is no such file. */
export function readElf(bytes: Buffer): Elf | undefined {
  if (bytes.length < 64 || !bytes.subarray(0, magic.length).equals(magic)) return undefined
  const [offset, size, count] = [
    Number(bytes.readBigUInt64LE(32)),
    bytes.readUInt16LE(54),
    bytes.readUInt16LE(56),
  ]
  if (offset + size * count > bytes.length) return undefined
  const types = Array.from({ length: count }, (_, i) => bytes.readUInt32LE(offset + i * size))
  return { arch: machines[bytes.readUInt16LE(18)] ?? 'other', isDynamic: types.includes(interpreter) }
}
