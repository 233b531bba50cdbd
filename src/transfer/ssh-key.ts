import type { KeyObject } from 'node:crypto'

const ED25519 = 'ssh-ed25519'
/** The block of a cipher that is none. */
const BLOCK_BYTES = 8

/** A private key (RSA, ECDSA, Ed25519) in a form that ssh2 reads; OpenSSH's own where it reads no other. */
export function sshPrivateKey(key: KeyObject): string {
  if (key.asymmetricKeyType === 'ed25519') return openSshKey(key)
  return key.export({ type: key.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs1', format: 'pem' }).toString()
}

/** OpenSSH's PROTOCOL.key, of one key that is not encrypted. */
function openSshKey(key: KeyObject): string {
  const { d = '', x = '' } = key.export({ format: 'jwk' })
  const [secret, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]
  const publicPart = Buffer.concat([field(ED25519), field(point)])
  const checks = Buffer.alloc(8)
  const privatePart = [checks, publicPart, field(Buffer.concat([secret, point])), field('')]
  const bytes = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...['none', 'none', ''].map(field),
    uint32(1),
    field(publicPart),
    field(padded(Buffer.concat(privatePart))),
  ])
  const lines = bytes.toString('base64').match(/.{1,70}/g) ?? []
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n')
}

function padded(bytes: Buffer): Buffer {
  const missing = (BLOCK_BYTES - (bytes.byteLength % BLOCK_BYTES)) % BLOCK_BYTES
  return Buffer.concat([bytes, Buffer.from(Array.from({ length: missing }, (_, index) => index + 1))])
}

function field(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint32(bytes.byteLength), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
