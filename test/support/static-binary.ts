/** The head of an ELF program that would be loaded as it is: what stands for a static FFmpeg where none is run. */
export function staticBinary({ machine = 183, header = 1 }: { machine?: number; header?: number }): Buffer {
  const bytes = Buffer.alloc(4096)
  Buffer.from('7f454c460201', 'hex').copy(bytes)
  bytes.writeUInt16LE(machine, 18)
  bytes.writeBigUInt64LE(64n, 32)
  bytes.writeUInt16LE(56, 54)
  bytes.writeUInt16LE(1, 56)
  bytes.writeUInt32LE(header, 64)
  return bytes
}
