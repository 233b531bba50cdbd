import { type Static, Type } from '../../lib/schema.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { judge, type Mistake } from '../../redfish/validation.ts'
import type { PartDigest } from '../digests/digests.ts'
import {
  activationMethods,
  type ActivationMethod,
  type ImageComponent,
  type ImageContents,
  type ImageProblem,
  type ImageSignature,
} from '../image-format.ts'
import { type ImageBytes, type Reading, Unreadable, type ImageFormat } from '../reading.ts'
import { fileBytes, firstName, isTar, nextFile, skipFile, type TarFile } from '../layouts/tar.ts'

export const MANIFEST_NAME = 'manifest.json'
/** A signature of the manifest, which lists the digests of all else: CMS in DER, or that of a key that the manifest names. */
export const CMS_NAME = 'manifest.json.p7s'
export const SIGNATURE_NAME = 'manifest.json.sig'
const MANIFEST_MAX_BYTES = 2 ** 20
const SIGNATURE_MAX_BYTES = 2 ** 18
const MAX_MISTAKES_TOLD = 5
/** What is shown to people, perhaps on a terminal: nothing that would steer it. */
const PRINTABLE = '^[^\\p{Cc}\\p{Cs}]*$'
const closed = { additionalProperties: false }
const text = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: PRINTABLE })

const ManifestComponent = Type.Object(
  {
    name: text(200),
    softwareId: text(200),
    version: text(100),
    releaseDate: Type.Optional(Type.String({ format: 'date-time', pattern: PRINTABLE })),
    securityVersion: Type.Optional(Type.Integer({ minimum: 0 })),
    requires: Type.Optional(
      Type.Array(Type.Object({ component: text(200), min: text(100) }, closed), { maxItems: 256 }),
    ),
    options: Type.Optional(
      Type.Object(
        {
          /** Install it even where the policy would skip it. */
          force: Type.Optional(Type.Boolean()),
          activation: Type.Optional(
            Type.Unsafe<ActivationMethod>({ type: 'string', enum: activationMethods }),
          ),
        },
        closed,
      ),
    ),
    file: Type.String({ minLength: 1 }),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    size: Type.Integer({ minimum: 0 }),
  },
  closed,
)

const Manifest = Type.Object(
  {
    bundle: Type.Literal(1),
    /** The Model of the machine that it is for. */
    machine: Type.Optional(text(200)),
    /** Of the signature, where it is not CMS: how it was made, and the name of the key. */
    signature: Type.Optional(
      Type.Object(
        {
          form: Type.Unsafe<Exclude<ImageSignature['form'], 'cms'>>({
            type: 'string',
            enum: ['rsa-pkcs1', 'rsa-pss', 'ecdsa', 'ed25519'],
          }),
          key: text(200),
        },
        closed,
      ),
    ),
    components: Type.Array(ManifestComponent, { minItems: 1, maxItems: 256 }),
  },
  closed,
)

/** What an update bundle's first entry, `manifest.json`, says. */
export type Manifest = Static<typeof Manifest>
const judgeManifest = judge(Manifest)

interface PassedFile extends TarFile {
  readonly sha256: PartDigest
}

/** redflash's own format: a tar (POSIX ustar) whose first entry lists the components in the others. */
export const bundle: ImageFormat = {
  names: ['VendorDefined'],
  recognises: (head) => isTar(head) && firstName(head) === MANIFEST_NAME,
  read: readBundle,
}

function* readBundle(image: ImageBytes): Reading {
  const first = yield* nextFile(image)
  if (first?.name !== MANIFEST_NAME) throw new Unreadable(`its first entry is not ${MANIFEST_NAME}`)
  if (first.sizeBytes > MANIFEST_MAX_BYTES) throw new Unreadable('its manifest is too large')
  const content = yield* fileBytes(image, first)
  const manifest = parseManifest(content)
  const seen = new Set([MANIFEST_NAME])
  const files = new Map<string, PassedFile>()
  const signatures: ImageSignature[] = []
  for (;;) {
    const file = yield* nextFile(image)
    if (file === undefined) break
    const { name, start, sizeBytes } = file
    if (seen.has(name)) throw new Unreadable(`${name} is there twice`)
    seen.add(name)
    if (name === CMS_NAME || name === SIGNATURE_NAME) {
      if (files.size > 0) throw new Unreadable(`${name} does not come before the components`)
      if (sizeBytes > SIGNATURE_MAX_BYTES) throw new Unreadable(`${name} is too large`)
      signatures.push(signatureOf(name, manifest, { content, bytes: yield* fileBytes(image, file) }))
      continue
    }
    refuseStray(name, manifest, files)
    const sha256 = image.digest({ start, end: start + sizeBytes, algorithm: 'sha256' })
    files.set(name, { ...file, sha256 })
    yield* skipFile(image, file)
  }
  yield* image.end()
  return compare(manifest, files, signatures)
}

function parseManifest(bytes: Uint8Array): Manifest {
  let data: unknown
  try {
    data = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    throw new Unreadable('its manifest is not JSON in UTF-8')
  }
  const judged = judgeManifest(data)
  if (!judged.ok) throw new Unreadable(judged.problem.slice(0, MAX_MISTAKES_TOLD).map(sentence).join('; '))
  const { components } = judged.value
  if (new Set(components.map(({ softwareId }) => softwareId)).size < components.length) {
    throw new Unreadable('two of its components have the same softwareId')
  }
  return judged.value
}

function sentence({ kind, pointer, expected }: Mistake): string {
  const where = pointer === '' ? 'its manifest' : `${pointer.slice(0, 100)} of its manifest`
  switch (kind) {
    case 'missing':
      return `${where} is missing`
    case 'unknown':
      return `${where} is nothing that is known here`
    case 'type':
      return `${where} must be of the type ${expected}`
    case 'choice':
    case 'range':
      return `${where} must be ${expected}`
    case 'too-long':
    case 'too-short':
      return `${where} must have ${expected}`
    case 'format':
      return `${where} ${expected.replace(`match pattern "${PRINTABLE}"`, 'have no control characters')}`
  }
}

/** Refuses a file that the manifest does not list: it came first, so nothing has to be kept of others. */
function refuseStray(name: string, { components }: Manifest, passed: ReadonlyMap<string, unknown>): void {
  if (components.some(({ file }) => file === name)) return
  const stray = `${name} is not in its manifest`
  const awaited = components.find(({ file }) => !passed.has(file))?.file
  throw new Unreadable(awaited === undefined ? stray : `${awaited} is missing: ${stray}`)
}

function signatureOf(
  name: string,
  { signature }: Manifest,
  { content, bytes }: { readonly content: Uint8Array; readonly bytes: Uint8Array },
): ImageSignature {
  const signed = { content }
  if (name === CMS_NAME) return { form: 'cms', bytes, signed }
  if (signature === undefined) throw new Unreadable(`its manifest does not say what ${name} is`)
  return { form: signature.form, keyName: signature.key, bytes, signed }
}

/** Holds the manifest against what was really in the tar. */
function compare(
  { components, machine }: Manifest,
  files: ReadonlyMap<string, PassedFile>,
  signatures: readonly ImageSignature[],
): Result<ImageContents, ImageProblem> {
  const found: ImageComponent[] = []
  for (const { file, size, sha256, softwareId, options = {}, requires = [], ...said } of components) {
    const passed = files.get(file)
    if (passed === undefined) throw new Unreadable(`${file} is missing`)
    if (passed.sizeBytes !== size) throw new Unreadable(`${file} has ${passed.sizeBytes} bytes, not ${size}`)
    if (passed.sha256.hex !== sha256) return fail({ kind: 'digest-mismatch', component: said.name })
    found.push({
      name: said.name,
      version: said.version,
      releaseDate: said.releaseDate,
      fits: { kind: 'software', softwareId },
      requires,
      sha256,
      start: passed.start,
      sizeBytes: size,
      securityVersion: said.securityVersion,
      isForced: options.force,
      activation: options.activation,
    })
  }
  return succeed({ format: 'VendorDefined', components: found, signatures, machine })
}
