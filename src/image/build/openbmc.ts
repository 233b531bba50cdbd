import { createHash, createPublicKey } from 'node:crypto'
import { pipeline, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import {
  allSignatures,
  flashParts,
  FULL_SIGNATURE_NAME,
  hashTypes,
  MANIFEST_NAME,
  PUBLIC_KEY_NAME,
  SIGNATURE_SUFFIX,
} from '../formats/openbmc.ts'
import type { HashName } from '../image-format.ts'
import { slice } from '../slice.ts'
import { digestOf } from '../trust/schemes.ts'
import { signWithKey } from '../trust/sign.ts'
import { type ComponentOrder, type ImageBuilder, type ImageOrder, orderedDefect } from './builder.ts'
import { firmwareOf } from './firmware.ts'
import { defects, type TarballDefect } from './openbmc-defects.ts'
import { type TarEntry, tarOf, textEntry } from './tar-file.ts'

/** What each part of a flash takes of all its bytes, in sixteenths. */
const shares: Readonly<Record<(typeof flashParts)[number], number>> = {
  'image-u-boot': 1,
  'image-kernel': 2,
  'image-rofs': 12,
  'image-rwfs': 1,
}

/** An order that can be filled. */
interface Tarball {
  readonly component: ComponentOrder
  readonly manifest: string
  readonly key: ImageOrder['key']
  readonly hash: HashName
  readonly defect: TarballDefect | undefined
}

/**
 * Makes tarballs for OpenBMC as its build does (image_types_phosphor.bbclass): the parts of a flash, the MANIFEST and,
 * where there is an RSA key, the signature of each. Options: `gzip=true`, and `hash`, RSA-SHA256 unless given.
 */
export const openbmcBuilder: ImageBuilder = {
  maxComponents: 1,
  signedBy: ['key'],
  says: [],
  optionNames: ['gzip', 'hash'],
  defects,
  build: (order) => {
    const tarball = understand(order)
    const { defect } = tarball
    const isCompressed = order.options?.['gzip'] === 'true' || defect?.isCompressed === true
    const tar = Readable.from(tarOfFiles(tarball), { objectMode: false })
    // What fails in one is told by the other.
    const whole = isCompressed ? pipeline(tar, createGzip(), () => {}) : tar
    return defect?.whole === undefined ? whole : Readable.from(defect.whole(whole), { objectMode: false })
  },
}

function understand({ components, key, options = {}, defect: name }: ImageOrder): Tarball {
  const [component, ...others] = components
  const identity = component?.identity?.openbmc
  if (component === undefined || others.length > 0) throw new Error('an OpenBMC tarball is for one component')
  if (identity === undefined) throw new Error(`${component.name} takes no OpenBMC tarball`)
  const hashType = options['hash'] ?? 'RSA-SHA256'
  const hash = hashTypes.get(hashType)
  if (hash === undefined) throw new Error(`hash is one of ${[...hashTypes.keys()].join(', ')}`)
  const defect = orderedDefect<TarballDefect>(defects, name, key)
  const lines = [
    `purpose=xyz.openbmc_project.Software.Version.VersionPurpose.${identity.purpose}`,
    `version=${component.version}`,
    ...(key === undefined ? [] : [`KeyType=${key.name}`, `HashType=${hashType}`]),
    `MachineName=${identity.machineName}`,
  ]
  const manifest = lines.map((line) => `${line}\n`).join('')
  return { component, manifest: defect?.manifest?.(manifest) ?? manifest, key, hash, defect }
}

async function* tarOfFiles(tarball: Tarball): AsyncIterable<Uint8Array> {
  const { component, manifest, key, defect } = tarball
  const files = [...partsOf(component), textEntry(MANIFEST_NAME, Buffer.from(manifest))]
  if (key !== undefined) {
    const publicKey = createPublicKey(key.pem).export({ type: 'spki', format: 'pem' })
    files.push(textEntry(PUBLIC_KEY_NAME, Buffer.from(publicKey)))
    files.push(...(await signaturesOf(files, key.pem, tarball.hash)))
  }
  yield* tarOf(defect?.files?.(files) ?? files)
}

/** The parts of a flash: one after the other they are the component's bytes. */
function partsOf(component: ComponentOrder): TarEntry[] {
  const { sizeBytes } = component
  let done = 0
  return flashParts.map((name, index) => {
    const start = Math.floor((done / 16) * sizeBytes)
    done += shares[name]
    const end = index === flashParts.length - 1 ? sizeBytes : Math.floor((done / 16) * sizeBytes)
    return { name, sizeBytes: end - start, bytes: () => slice(firmwareOf(component), start, end) }
  })
}

/** A signature of each file, and one of them all. */
async function signaturesOf(files: readonly TarEntry[], key: string, hash: HashName): Promise<TarEntry[]> {
  const sign = (digest: string): Uint8Array => signWithKey('rsa-pkcs1', { key, signed: { hash, digest } })
  const signatures = new Map<string, Uint8Array>()
  for (const { name, bytes } of files) {
    const digest = createHash(hash)
    for await (const chunk of bytes()) digest.update(chunk)
    signatures.set(`${name}${SIGNATURE_SUFFIX}`, sign(digest.digest('hex')))
  }
  signatures.set(FULL_SIGNATURE_NAME, sign(digestOf(hash, allSignatures(signatures))))
  return [...signatures].map(([name, bytes]) => textEntry(name, bytes))
}
