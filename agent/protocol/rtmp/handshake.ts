import { randomBytes } from 'node:crypto'
import { AppError } from '../../../shared/error.ts'
import {
  clientSide,
  type Digest,
  findDigest,
  handshakeBytes,
  serverSide,
  sign,
  signAnswer,
} from './digest.ts'

/*
 * RTMP handshake (RTMP 1.0, section 5.2): C0 and S0 are the version, 3.
 *
 *   client                          server
 *     C0 │ C1 (1536)        ──►
 *                           ◄──     S0 │ S1 (1536) │ S2 (1536): C1 again, or the answer to its digest
 *     C2 (1536)             ──►
 *
 *   C1, S1: time u32 │ 0 u32 │ 1528 random bytes      (with a digest: see digest.ts)
 */
const version = 3
const signedVersion = Buffer.of(4, 5, 0, 1) // Not 0: there is a digest.
const clientVersion = Buffer.of(128, 0, 7, 2)

type Random = (bytes: number) => Uint8Array

export type HandshakeStep = {
  /** To be sent now. */
  send?: Uint8Array
  /** The handshake is over: what came behind it. */
  rest?: Uint8Array
}

/** Collects what comes until there is enough. */
class Intake {
  #held: Uint8Array[] = []
  #heldBytes = 0

  add(bytes: Uint8Array): void {
    this.#held.push(Uint8Array.from(bytes))
    this.#heldBytes += bytes.length
  }

  /** The first byte, once it is there. */
  get first(): number | undefined {
    return this.#held.find((part) => part.length > 0)?.[0]
  }

  take(bytes: number): Uint8Array | undefined {
    if (this.#heldBytes < bytes) return undefined
    const all = Buffer.concat(this.#held)
    this.#held = [all.subarray(bytes)]
    this.#heldBytes -= bytes
    return all.subarray(0, bytes)
  }

  takeAll(): Uint8Array {
    return this.take(this.#heldBytes) ?? new Uint8Array(0)
  }
}

function checkVersion(first: number | undefined): void {
  if (first === undefined || first === version) return
  throw new AppError('InvalidArgument', `RTMP: the peer speaks version ${first}, not ${version}`)
}

function hello(
  random: Random,
  signed?: { version: Uint8Array; schema: 0 | 1; by: typeof serverSide },
): Uint8Array {
  const packet = Uint8Array.from(random(handshakeBytes))
  packet.fill(0, 0, 8)
  if (signed) {
    packet.set(signed.version, 4)
    sign(packet, signed.schema, signed.by)
  }
  return packet
}

function answer(random: Random, to: Digest, by: typeof serverSide): Uint8Array {
  const packet = Uint8Array.from(random(handshakeBytes))
  signAnswer(packet, to, by)
  return packet
}

/** InvalidArgument for another version than 3 (6 is the encrypted RTMPE). What C2 says is not looked at. */
export class ServerHandshake {
  readonly #intake = new Intake()
  readonly #random: Random
  #answered = false

  constructor(random: Random = randomBytes) {
    this.#random = random
  }

  push(bytes: Uint8Array): HandshakeStep {
    this.#intake.add(bytes)
    const step: HandshakeStep = {}
    if (!this.#answered) {
      checkVersion(this.#intake.first)
      const c0c1 = this.#intake.take(1 + handshakeBytes)
      if (!c0c1) return step
      step.send = this.#answer(c0c1.subarray(1))
      this.#answered = true
    }
    if (this.#intake.take(handshakeBytes)) step.rest = this.#intake.takeAll()
    return step
  }

  #answer(c1: Uint8Array): Uint8Array {
    const hasVersion = c1.subarray(4, 8).some((byte) => byte !== 0)
    const digest = hasVersion ? findDigest(c1, clientSide) : undefined
    if (!digest) return Buffer.concat([Buffer.of(version), hello(this.#random), c1])
    const s1 = hello(this.#random, { version: signedVersion, schema: digest.schema, by: serverSide })
    return Buffer.concat([Buffer.of(version), s1, answer(this.#random, digest, serverSide)])
  }
}

/** The other side. `digest`: for servers that insist on it; others take it for random bytes. */
export class ClientHandshake {
  readonly #intake = new Intake()
  readonly #random: Random
  readonly #digest: boolean

  constructor({ digest = false, random = randomBytes }: { digest?: boolean; random?: Random } = {}) {
    this.#random = random
    this.#digest = digest
  }

  /** C0 and C1. */
  begin(): Uint8Array {
    const signed = this.#digest ? { version: clientVersion, schema: 0 as const, by: clientSide } : undefined
    return Buffer.concat([Buffer.of(version), hello(this.#random, signed)])
  }

  push(bytes: Uint8Array): HandshakeStep {
    this.#intake.add(bytes)
    checkVersion(this.#intake.first)
    const answered = this.#intake.take(1 + 2 * handshakeBytes)
    if (!answered) return {}
    const s1 = answered.subarray(1, 1 + handshakeBytes)
    const digest = this.#digest ? findDigest(s1, serverSide) : undefined
    const send = digest ? answer(this.#random, digest, clientSide) : Uint8Array.from(s1)
    return { send, rest: this.#intake.takeAll() }
  }
}
