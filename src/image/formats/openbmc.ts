import { createPublicKey, type KeyObject } from 'node:crypto'
import { fail, succeed } from '../../lib/result.ts'
import type { PartDigest } from '../digests/digests.ts'
import type { HashName, ImageComponent, ImageSignature } from '../image-format.ts'
import { type ImageBytes, type Reading, type Step, Unreadable, type ImageFormat } from '../reading.ts'
import { fileBytes, isTar, nextFile, skipFile, type TarFile } from '../layouts/tar.ts'
import { digestOf, formsOf, isSignatureOfDigest } from '../trust/schemes.ts'

export const MANIFEST_NAME = 'MANIFEST'
export const PUBLIC_KEY_NAME = 'publickey'
export const SIGNATURE_SUFFIX = '.sig'
/** The signature of all other signatures, one after the other, in an order of its own. */
export const FULL_SIGNATURE_NAME = 'image-full.sig'
const BUNDLE_MANIFEST = 'manifest.json'
const LATE_BUNDLE = `an update bundle begins with ${BUNDLE_MANIFEST}: no file, folder or other header comes before it`
const MAX_FILES = 64
const MAX_SMALL_BYTES = 2 ** 16
const MAX_SIGNATURE_BYTES = 2 ** 12

/** What a BMC's flash is made of: the parts, or all of it in one. */
export const flashParts = ['image-u-boot', 'image-kernel', 'image-rofs', 'image-rwfs'] as const
const WHOLE_FLASH = 'image-bmc'

/** How a MANIFEST names the digest that was signed, as OpenSSL does. */
export const hashTypes: ReadonlyMap<string, HashName> = new Map([
  ['RSA-SHA256', 'sha256'],
  ['RSA-SHA512', 'sha512'],
])
const allHashes = [...hashTypes.values()]
const PURPOSE = /^xyz\.openbmc_project\.Software\.Version\.VersionPurpose\.(\w{1,40})$/
/** Said of a tarball whose purpose is none that OpenBMC knows: it takes it, and no component does. */
const UNKNOWN_PURPOSE = 'Unknown'
const PUBLIC_KEY = /^\s*-----BEGIN PUBLIC KEY-----/

type Manifest = ReadonlyMap<string, string>
/** Digests of a file, for each digest that may have been signed. */
type FileDigests = ReadonlyMap<HashName, () => string>

/** What was found in a tarball. */
interface Found {
  manifest: Manifest | undefined
  publicKey: Uint8Array | undefined
  readonly files: Map<string, FileDigests>
  readonly signatures: Map<string, Uint8Array>
}

/**
 * A tarball for phosphor-software-manager of OpenBMC (phosphor-bmc-code-mgmt). It is one component: the device itself
 * unpacks it. Any tar may be one, because its MANIFEST can be anywhere in it: to be asked after those that know better.
 */
export const openbmc: ImageFormat = {
  names: ['VendorDefined'],
  recognises: isTar,
  read: readTarball,
  mayBeCompressed: true,
}

function* readTarball(image: ImageBytes): Reading {
  const sha256 = image.digest({ start: 0, algorithm: 'sha256' })
  const found: Found = { manifest: undefined, publicKey: undefined, files: new Map(), signatures: new Map() }
  for (;;) {
    const file = yield* nextFile(image)
    if (file === undefined) break
    yield* readFile(image, file, found)
  }
  yield* image.end()
  const { manifest, files } = found
  if (manifest === undefined) {
    const isBundle = files.has(BUNDLE_MANIFEST)
    throw new Unreadable(isBundle ? LATE_BUNDLE : `it has no ${MANIFEST_NAME}`)
  }
  const component = describe(manifest, { sha256: sha256.hex, sizeBytes: image.position })
  requireParts(component, files)
  const isSigned = found.signatures.size > 0
  const signatures = isSigned ? vouchers(manifest, found) : []
  const wrong = isSigned ? wronglySigned(manifest, found) : undefined
  if (wrong !== undefined) return fail({ kind: 'digest-mismatch', component: wrong })
  return succeed({ format: 'VendorDefined', components: [component], signatures })
}

function* readFile(image: ImageBytes, file: TarFile, found: Found): Step<void> {
  const { name } = file
  if (found.files.has(name) || found.signatures.has(name)) throw new Unreadable(`${name} is there twice`)
  if (found.files.size + found.signatures.size === MAX_FILES) throw new Unreadable('it has too many files')
  if (name.endsWith(SIGNATURE_SUFFIX)) {
    found.signatures.set(name, yield* smallFile(image, file, MAX_SIGNATURE_BYTES))
  } else if (name === MANIFEST_NAME || name === PUBLIC_KEY_NAME) {
    const bytes = yield* smallFile(image, file, MAX_SMALL_BYTES)
    if (name === MANIFEST_NAME) found.manifest = parseManifest(bytes)
    else found.publicKey = bytes
    found.files.set(name, new Map(allHashes.map((hash) => [hash, () => digestOf(hash, bytes)])))
  } else {
    const { start, sizeBytes } = file
    const digests = hashesOf(found.manifest).map((algorithm) => {
      const digest: PartDigest = image.digest({ start, end: start + sizeBytes, algorithm })
      return [algorithm, () => digest.hex] as const
    })
    found.files.set(name, new Map(digests))
    yield* skipFile(image, file)
  }
}

function* smallFile(image: ImageBytes, file: TarFile, maxBytes: number): Step<Uint8Array> {
  if (file.sizeBytes > maxBytes) throw new Unreadable(`${file.name} is too large`)
  return yield* fileBytes(image, file)
}

/** Which digests to compute: the one that was signed, all while that is not known, none where nothing was signed. */
function hashesOf(manifest: Manifest | undefined): readonly HashName[] {
  if (manifest === undefined) return allHashes
  const hash = hashTypes.get(manifest.get('HashType') ?? '')
  return hash === undefined ? [] : [hash]
}

/** Lines of `key=value`; of those with the same key the first counts. */
function parseManifest(bytes: Uint8Array): Manifest {
  const lines = Buffer.from(bytes).toString('utf8').split(/\r?\n/)
  const pairs = lines.flatMap((line) => {
    const equals = line.indexOf('=')
    return equals === -1 ? [] : [[line.slice(0, equals), line.slice(equals + 1)] as const]
  })
  return new Map(pairs.toReversed())
}

function describe(manifest: Manifest, bytes: Pick<ImageComponent, 'sha256' | 'sizeBytes'>): ImageComponent {
  const purpose = PURPOSE.exec(required(manifest, 'purpose'))?.[1] ?? UNKNOWN_PURPOSE
  // OpenBMC only warns where no machine is named: then every machine takes it.
  const machineName = manifest.get('MachineName') || undefined
  return {
    name: purpose,
    version: required(manifest, 'version'),
    releaseDate: undefined,
    fits: { kind: 'openbmc', machineName, purpose },
    requires: [],
    start: 0,
    ...bytes,
  }
}

function required(manifest: Manifest, key: string): string {
  const value = manifest.get(key) ?? ''
  if (/^\P{Cc}{1,200}$/u.test(value)) return value
  throw new Unreadable(`its ${MANIFEST_NAME} does not say its ${key}`)
}

/** Without these OpenBMC finds an image for a BMC invalid; what a host's is made of it leaves to others. */
function requireParts({ name }: ImageComponent, files: ReadonlyMap<string, unknown>): void {
  if ((name !== 'BMC' && name !== 'System') || files.has(WHOLE_FLASH)) return
  const missing = flashParts.find((part) => !files.has(part))
  if (missing !== undefined) throw new Unreadable(`${missing} is missing`)
}

/** What a key of the machine has to vouch for: the MANIFEST, and the key that vouches for all else. */
function vouchers(manifest: Manifest, { files, signatures }: Found): ImageSignature[] {
  const keyName = manifest.get('KeyType') || undefined
  const hash = signedHash(manifest)
  return [MANIFEST_NAME, PUBLIC_KEY_NAME].map((name) => {
    const bytes = signatures.get(`${name}${SIGNATURE_SUFFIX}`)
    const digest = files.get(name)?.get(hash)
    if (bytes === undefined || digest === undefined) throw new Unreadable(`${name} is not signed`)
    return { form: 'rsa-pkcs1', bytes, keyName, signed: { hash, digest: digest() } }
  })
}

/** The first file that the tarball's own key did not sign as it is. Once something is signed, all has to be. */
function wronglySigned(manifest: Manifest, { files, signatures, publicKey }: Found): string | undefined {
  const hash = signedHash(manifest)
  const key = keyOf(publicKey)
  const own = [...files].filter(([name]) => name !== MANIFEST_NAME && name !== PUBLIC_KEY_NAME)
  for (const [name, digests] of own) {
    const signature = signatures.get(`${name}${SIGNATURE_SUFFIX}`)
    const digest = digests.get(hash)
    if (signature === undefined || digest === undefined) throw new Unreadable(`${name} is not signed`)
    if (!isSignatureOfDigest(key, hash, digest(), signature)) return name
  }
  const full = signatures.get(FULL_SIGNATURE_NAME)
  const isFullWrong =
    full !== undefined && !isSignatureOfDigest(key, hash, digestOf(hash, allSignatures(signatures)), full)
  return isFullWrong ? FULL_SIGNATURE_NAME : undefined
}

/** What FULL_SIGNATURE_NAME signs. */
export function allSignatures(signatures: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const order = [WHOLE_FLASH, 'image-hostfw', 'image-kernel', 'image-rofs', 'image-rwfs', 'image-u-boot']
  return Buffer.concat(
    [...order, MANIFEST_NAME, PUBLIC_KEY_NAME].flatMap(
      (name) => signatures.get(`${name}${SIGNATURE_SUFFIX}`) ?? [],
    ),
  )
}

function signedHash(manifest: Manifest): HashName {
  const hash = hashTypes.get(manifest.get('HashType') ?? '')
  if (hash === undefined) throw new Unreadable(`its ${MANIFEST_NAME} does not say with what it is signed`)
  return hash
}

function keyOf(bytes: Uint8Array | undefined): KeyObject {
  const text = Buffer.from(bytes ?? []).toString('latin1')
  const unfit = new Unreadable(`its ${PUBLIC_KEY_NAME} is no RSA key, or none that is strong enough`)
  // OpenSSL would take certificates and private keys, too.
  if (!PUBLIC_KEY.test(text)) throw unfit
  let key: KeyObject
  try {
    key = createPublicKey(text)
  } catch {
    throw unfit
  }
  if (!formsOf(key).includes('rsa-pkcs1')) throw unfit
  return key
}
