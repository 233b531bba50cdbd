import { createHash, type Hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { fail, type Result, succeed } from '../lib/result.ts'

/** What a client says the digest of its body is (RFC 9530, Content-Digest and Repr-Digest). */
interface Announced {
  readonly field: string
  readonly algorithm: string
  readonly digest: Buffer
}

/** For a body without a content coding both speak of the same bytes. */
const fields = ['content-digest', 'repr-digest'] as const
/** The active algorithms of the registry, as node:crypto names them; what is not among them says nothing (§2). */
const algorithms: ReadonlyMap<string, string> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])
/** A text in quotes, in which commas separate nothing (RFC 8941 §3.3.3). */
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"'
/** One member of a dictionary (RFC 8941 §3.2): its key, its value where that is a byte sequence, and what is left of it. */
const MEMBER = new RegExp(
  `[ \\t]*([a-z*][a-z0-9_.*-]*)(?:=:([A-Za-z0-9+/]*={0,2}):)?((?:[^,"]|${QUOTED})*)(?:,(?!$)|$)`,
  'y',
)

/** What a request's headers announce of its body. Fails with the name of a field that cannot be read. */
export function readContentDigests({ headers }: IncomingMessage): Result<readonly Announced[], string> {
  const announced: Announced[] = []
  for (const field of fields) {
    const read = readField(field, headers[field])
    if (read === undefined) return fail(nameOf(field))
    announced.push(...read)
  }
  return succeed(announced)
}

/**
 * Watches a body of which this was announced; to be called by who begins to read it, in the same turn. The function
 * returned names, when the body is over, the header fields that did not tell the truth.
 */
export function watchContentDigests(
  request: IncomingMessage,
  announced: readonly Announced[],
): () => readonly string[] {
  const hashes = new Map<string, Hash>()
  for (const { algorithm } of announced) hashes.set(algorithm, createHash(algorithm))
  if (hashes.size === 0) return () => []
  request.on('data', (chunk: Uint8Array) => {
    for (const hash of hashes.values()) hash.update(chunk)
  })
  return () => {
    const digests = new Map([...hashes].map(([algorithm, hash]) => [algorithm, hash.copy().digest()]))
    const wrong = announced.filter(({ algorithm, digest }) => digests.get(algorithm)?.equals(digest) !== true)
    return [...new Set(wrong.map(({ field }) => nameOf(field)))]
  }
}

/** What a field announces; `undefined` where it is not the dictionary that it has to be. */
function readField(field: string, value: string | readonly string[] | undefined): Announced[] | undefined {
  const text = String(value ?? '').trim()
  const announced: Announced[] = []
  for (let at = 0; at < text.length; at = MEMBER.lastIndex) {
    MEMBER.lastIndex = at
    const [whole = '', key = '', digest, rest = ''] = MEMBER.exec(text) ?? []
    const algorithm = algorithms.get(key)
    // What the value of an algorithm is that nobody knows here is nobody's business.
    const isReadable = algorithm === undefined || (digest !== undefined && /^[ \t]*(;|$)/.test(rest))
    if (whole === '' || !isReadable) return undefined
    if (algorithm !== undefined && digest !== undefined)
      announced.push({ field, algorithm, digest: Buffer.from(digest, 'base64') })
  }
  return announced
}

function nameOf(field: string): string {
  return field === 'content-digest' ? 'Content-Digest' : 'Repr-Digest'
}
