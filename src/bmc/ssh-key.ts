import { createHash, createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { IdentityKey, SshPublicKey } from './image-servers.ts'

/** Curves of RFC 5656 by the names that OpenSSH, JSON Web Keys and OpenSSL have for them. */
const curves = [
  { ssh: 'nistp256', jwk: 'P-256', openssl: 'prime256v1' },
  { ssh: 'nistp384', jwk: 'P-384', openssl: 'secp384r1' },
  { ssh: 'nistp521', jwk: 'P-521', openssl: 'secp521r1' },
] as const
const UNCOMPRESSED = 4
/** An RSA key of 16384 bits takes a fifth of it. */
const MAX_LENGTH = 16_384
const RFC4716 = /^---- BEGIN SSH2 PUBLIC KEY ----\r?\n([^]*?)\r?\n---- END SSH2 PUBLIC KEY ----$/

export type SshKeyKind =
  | { readonly type: 'RSA'; readonly bits: number }
  | { readonly type: 'ECDSA'; readonly curve: (typeof curves)[number]['ssh'] }
  | { readonly type: 'Ed25519' }

const generate = promisify(generateKeyPair)

/** A new key pair; made by a thread of the pool, because RSA takes its time. */
export async function makeSshKey(kind: SshKeyKind): Promise<IdentityKey> {
  const { publicKey, privateKey } = await generated(kind)
  return {
    ...writeSshKey(publicKey),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function generated(kind: SshKeyKind): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  switch (kind.type) {
    case 'RSA':
      return generate('rsa', { modulusLength: kind.bits })
    case 'ECDSA': {
      const { openssl } = curves.find(({ ssh }) => ssh === kind.curve) ?? curves[0]
      return generate('ec', { namedCurve: openssl })
    }
    case 'Ed25519':
      return generate('ed25519')
  }
}

/**
 * Reads a public key as OpenSSH (RFC 4253, 5656 and 8709) or RFC 4716 write it. What is no key, or of a kind that
 * servers no longer have (DSA), is a problem.
 */
export function readSshKey(text: string): Result<SshPublicKey, 'unreadable'> {
  if (text.length > MAX_LENGTH) return fail('unreadable')
  const { type, base64, comment } = partsOf(text.trim())
  const blob = Buffer.from(base64, 'base64')
  try {
    const key = writeSshKey(createPublicKey({ key: jwkOf(blob), format: 'jwk' }), comment)
    // Written again it is the same, or there was more than a key in it, or what is no base64.
    const [ownType, ownBase64] = key.line.split(' ')
    const isSame = ownBase64 === base64 && (type === undefined || type === ownType)
    return isSame ? succeed(key) : fail('unreadable')
  } catch {
    return fail('unreadable') // no fields, or numbers that are no key
  }
}

interface Parts {
  readonly type?: string | undefined
  readonly base64: string
  readonly comment?: string | undefined
}

function partsOf(text: string): Parts {
  const rfc4716 = RFC4716.exec(text)?.[1]
  if (rfc4716 === undefined) {
    const [, type, base64 = '', comment] = /^(\S+) +(\S+)(?: +([^\r\n]+))?$/.exec(text) ?? []
    return { type, base64, comment }
  }
  // A header goes on in the next line after a backslash.
  const lines = rfc4716.replaceAll(/\\\r?\n/g, '').split(/\r?\n/)
  const comment = lines.flatMap((line) => /^Comment: "?(.*?)"?$/i.exec(line)?.[1] ?? [])[0]
  return { base64: lines.filter((line) => !line.includes(':')).join(''), comment }
}

/** Throws an Error where a blob is not of a public key that we know (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4). */
function jwkOf(blob: Buffer): JsonWebKey {
  const [type = Buffer.alloc(0), first = Buffer.alloc(0), second = Buffer.alloc(0)] = fieldsOf(blob)
  const text = type.toString('latin1')
  if (text === 'ssh-ed25519') return { kty: 'OKP', crv: 'Ed25519', x: first.toString('base64url') }
  if (text === 'ssh-rsa') return { kty: 'RSA', e: unsigned(first), n: unsigned(second) }
  const curve = curves.find(({ ssh }) => text === `ecdsa-sha2-${ssh}`)
  if (curve === undefined || second[0] !== UNCOMPRESSED) throw new Error(`no key of ours: ${text}`)
  const half = (second.length - 1) / 2
  return {
    kty: 'EC',
    crv: curve.jwk,
    x: second.subarray(1, 1 + half).toString('base64url'),
    y: second.subarray(1 + half).toString('base64url'),
  }
}

function writeSshKey(key: KeyObject, comment?: string): SshPublicKey {
  const blob = blobOf(key)
  const type = fieldsOf(blob)[0]?.toString('latin1') ?? ''
  return {
    line: [type, blob.toString('base64'), ...(comment === undefined ? [] : [comment])].join(' '),
    fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`,
    comment,
  }
}

function blobOf(key: KeyObject): Buffer {
  const { kty, crv, n = '', e = '', x = '', y = '' } = key.export({ format: 'jwk' })
  if (kty === 'RSA') return blobWith('ssh-rsa', signed(e), signed(n))
  if (crv === 'Ed25519') return blobWith('ssh-ed25519', Buffer.from(x, 'base64url'))
  const curve = curves.find(({ jwk }) => jwk === crv)
  if (curve === undefined) throw new Error(`no SSH key is of ${kty} ${crv}`)
  const point = [Buffer.of(UNCOMPRESSED), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]
  return blobWith(`ecdsa-sha2-${curve.ssh}`, Buffer.from(curve.ssh), Buffer.concat(point))
}

/** RFC 4251 §5: a string is its length and its bytes. Throws an Error where a length leads beyond the end. */
function fieldsOf(blob: Buffer): Buffer[] {
  const fields: Buffer[] = []
  for (let at = 0; at < blob.length;) {
    const start = at + 4
    at = start + blob.readUInt32BE(at)
    if (at > blob.length) throw new Error('a field is longer than its key')
    fields.push(blob.subarray(start, at))
  }
  return fields
}

function blobWith(type: string, ...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(
    [Buffer.from(type), ...fields].flatMap((field) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(field.length)
      return [length, field]
    }),
  )
}

/** RFC 4251 §5: an mpint whose first bit is set has a zero before it. */
function signed(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url')
  return (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
}

function unsigned(mpint: Buffer): string {
  return (mpint[0] === 0 ? mpint.subarray(1) : mpint).toString('base64url')
}
