import { type Static, Type } from '../../lib/schema.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { judge } from '../../redfish/validation.ts'
import type { PartDigest } from '../digests.ts'
import {
  activationMethods,
  type ActivationMethod,
  type ImageComponent,
  type ImageContents,
  type ImageProblem,
  type ImageSignature,
} from '../image-format.ts'
import { type ImageBytes, type Reading, Unreadable, type ImageFormat } from '../reading.ts'
import { fileBytes, firstName, isTar, nextFile, skipFile, type TarFile } from '../tar.ts'

export const MANIFEST_NAME = 'manifest.json'
/** A signature of the manifest, which lists the digests of all else: CMS in DER, or that of a key that the manifest names. */
export const CMS_NAME = 'manifest.json.p7s'
export const SIGNATURE_NAME = 'manifest.json.sig'
const MANIFEST_MAX_BYTES = 2 ** 20
const SIGNATURE_MAX_BYTES = 2 ** 18
const closed = { additionalProperties: false }

const ManifestComponent = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    softwareId: Type.String({ minLength: 1, maxLength: 200 }),
    version: Type.String({ minLength: 1, maxLength: 100 }),
    releaseDate: Type.Optional(Type.String({ format: 'date-time' })),
    securityVersion: Type.Optional(Type.Integer({ minimum: 0 })),
    requires: Type.Optional(
      Type.Array(Type.Object({ component: Type.String(), min: Type.String() }, closed)),
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
    machine: Type.Optional(Type.String({ minLength: 1 })),
    /** Of the signature, where it is not CMS: how it was made, and the name of the key. */
    signature: Type.Optional(
      Type.Object(
        {
          form: Type.Unsafe<Exclude<ImageSignature['form'], 'cms'>>({
            type: 'string',
            enum: ['rsa-pkcs1', 'rsa-pss', 'ecdsa', 'ed25519'],
          }),
          key: Type.String({ minLength: 1 }),
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
  const text = yield* fileBytes(image, first)
  const manifest = parseManifest(text)
  const files = new Map<string, PassedFile>()
  const signatures: ImageSignature[] = []
  for (;;) {
    const file = yield* nextFile(image)
    if (file === undefined) break
    const { name, start, sizeBytes } = file
    if (name === CMS_NAME || name === SIGNATURE_NAME) {
      if (sizeBytes > SIGNATURE_MAX_BYTES) throw new Unreadable(`${name} is too large`)
      signatures.push(signatureOf(name, manifest, { text, bytes: yield* fileBytes(image, file) }))
      continue
    }
    if (files.has(name)) throw new Unreadable(`${name} is there twice`)
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
    data = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    throw new Unreadable('its manifest is not JSON')
  }
  const judged = judgeManifest(data)
  if (judged.ok) return judged.value
  throw new Unreadable(judged.problem.map((one) => `manifest${one.pointer}: ${one.kind}`).join(', '))
}

function signatureOf(
  name: string,
  { signature }: Manifest,
  { text, bytes }: { readonly text: Uint8Array; readonly bytes: Uint8Array },
): ImageSignature {
  const signed = { content: text }
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
  const listed = new Set(components.map((component) => component.file))
  const stray = [...files.keys()].find((name) => !listed.has(name))
  if (stray !== undefined) throw new Unreadable(`${stray} is not in its manifest`)
  if (new Set(components.map((component) => component.softwareId)).size < components.length) {
    throw new Unreadable('two of its components have the same softwareId')
  }
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
