import { createHash, createPublicKey } from 'node:crypto'
import { Readable } from 'node:stream'
import { CMS_NAME, MANIFEST_NAME, type Manifest, SIGNATURE_NAME } from '../formats/bundle.ts'
import { BLOCK_BYTES } from '../layouts/tar.ts'
import { slice } from '../slice.ts'
import { formsOf } from '../trust/schemes.ts'
import { signWithKey } from '../trust/sign.ts'
import {
  type ComponentOrder,
  type Defect,
  type ImageBuilder,
  type ImageOrder,
  orderedDefect,
} from './builder.ts'
import { firmwareOf } from './firmware.ts'
import { tarBytes, type TarEntry, tarOf, textEntry } from './tar-file.ts'

/** A file of the tar, as its header tells it, and a digest that stands in the manifest. */
interface Entry {
  readonly order: ComponentOrder
  readonly file: string
  readonly sha256: string
}

interface BundleDefect extends Defect {
  readonly manifest?: (right: Manifest) => unknown
  /** The name that the tar gives a file. */
  readonly name?: (right: string) => string
  readonly isLink?: true
  /** Whether each file comes twice. */
  readonly isTwice?: true
  /** Whether the end is missing, from the middle of the first file on. */
  readonly isCut?: true
  readonly signature?: (right: Uint8Array) => Uint8Array
}

const malformed = ['Update.VerificationFailed', 'Redflash.ImageMalformed'] as const

const defects = {
  digest: {
    what: 'the manifest gives other digests than those of the files',
    messages: ['Update.VerificationFailed', 'Redflash.ImageDigestMismatch'],
    manifest: withComponents(({ sha256 }) => ({
      sha256: sha256.slice(1) + (sha256.startsWith('0') ? '1' : '0'),
    })),
  },
  size: {
    what: 'the manifest gives other sizes than those of the files',
    messages: malformed,
    manifest: withComponents(({ size }) => ({ size: size + 1 })),
  },
  'missing-file': {
    what: 'the manifest lists files that are not there',
    messages: malformed,
    manifest: withComponents(({ file }) => ({ file: `${file}.old` })),
  },
  manifest: { what: 'the manifest lists nothing', messages: malformed, manifest: () => ({ bundle: 1 }) },
  revision: {
    what: 'the manifest is of a revision that nobody knows',
    messages: malformed,
    manifest: (right) => ({ ...right, bundle: 2 }),
  },
  duplicate: { what: 'each file is there twice', messages: malformed, isTwice: true },
  path: { what: 'the names of files lead elsewhere', messages: malformed, name: (right) => `../${right}` },
  link: { what: 'the files are links', messages: malformed, isLink: true },
  truncate: { what: 'the end is missing', messages: malformed, isCut: true },
  component: {
    what: 'its components are nobody’s',
    messages: ['Update.NoTargetsDetermined'],
    manifest: withComponents(({ softwareId }) => ({ softwareId: `no ${softwareId}` })),
  },
  machine: {
    what: 'it is for another machine',
    messages: ['Update.NoTargetsDetermined', 'Redflash.MachineMismatch'],
    manifest: (right) => ({ ...right, machine: 'another machine' }),
  },
  requirement: {
    what: 'it requires a component that is not there',
    messages: ['Update.UpdateNotApplicable', 'Redflash.RequirementNotMet'],
    manifest: withComponents(() => ({ requires: [{ component: 'nothing', min: '1' }] })),
  },
  signature: {
    what: 'the signature is not of these bytes',
    messages: ['Update.VerificationFailed', 'Redflash.SignatureInvalid'],
    needsSignature: true,
    signature: (right) => Uint8Array.from(right, (byte, at) => (at === right.length - 1 ? byte ^ 1 : byte)),
  },
} as const satisfies Readonly<Record<string, BundleDefect>>

/** Makes bundles: a tar whose first file is the manifest, the second its signature, if any, and then the components. */
export const bundleBuilder: ImageBuilder = {
  maxComponents: 256,
  signedBy: ['certificate', 'key'],
  says: ['machine', 'releaseDate', 'requires', 'securityVersion', 'isForced', 'activation'],
  optionNames: [],
  defects,
  build: (order) => {
    const defect = orderedDefect<BundleDefect>(defects, order.defect, order.sign ?? order.key)
    return Readable.from(written(order, defect), { objectMode: false })
  },
}

/** A bundle with these components, and nothing wrong with it. */
export function buildBundle(components: readonly ComponentOrder[]): Readable {
  return bundleBuilder.build({ components })
}

async function* written(order: ImageOrder, defect: BundleDefect | undefined): AsyncIterable<Uint8Array> {
  const entries: Entry[] = []
  for (const [index, component] of order.components.entries()) {
    // A tar's header takes no more of a name; the number tells them apart.
    const name = component.name.replaceAll(/[^\w.-]/g, '_').slice(0, 80)
    const sha256 = await digestOf(firmwareOf(component))
    entries.push({ order: component, file: `${index + 1}-${name}.bin`, sha256 })
  }
  const right = manifestOf(order, entries)
  const manifest = Buffer.from(JSON.stringify(defect?.manifest?.(right) ?? right, null, 2))
  const signatures = await signaturesOf(manifest, order)
  const before = [
    textEntry(MANIFEST_NAME, manifest),
    ...signatures.map(([name, bytes]) => textEntry(name, defect?.signature?.(bytes) ?? bytes)),
  ]
  const files = entries.flatMap((entry) => filesOf(entry, defect))
  const tar = tarOf([...before, ...files])
  const middle = BLOCK_BYTES + Math.floor((files[0]?.sizeBytes ?? 0) / 2)
  yield* defect?.isCut === true ? slice(tar, 0, tarBytes(before) + middle) : tar
}

/** A component as the tar holds it: once, and under its name, unless that is what is wrong. */
function filesOf({ order, file }: Entry, defect: BundleDefect | undefined): TarEntry[] {
  const name = defect?.name?.(file) ?? file
  const entry: TarEntry =
    defect?.isLink === true
      ? { ...textEntry(name, Buffer.alloc(0)), linksTo: '/etc/passwd' }
      : { name, sizeBytes: order.sizeBytes, bytes: () => firmwareOf(order) }
  return defect?.isTwice === true ? [entry, entry] : [entry]
}

function manifestOf({ machine, key }: ImageOrder, entries: readonly Entry[]): Manifest {
  return {
    bundle: 1,
    ...(machine !== undefined && { machine }),
    ...(key !== undefined && { signature: { form: formOf(key.pem), key: key.name } }),
    components: entries.map(({ order, file, sha256 }) => ({
      name: order.name,
      softwareId: order.softwareId,
      version: order.version,
      ...(order.releaseDate !== undefined && { releaseDate: order.releaseDate }),
      ...(order.securityVersion !== undefined && { securityVersion: order.securityVersion }),
      ...(order.requires !== undefined && { requires: [...order.requires] }),
      ...optionsOf(order),
      file,
      sha256,
      size: order.sizeBytes,
    })),
  }
}

function optionsOf({
  isForced,
  activation,
}: ComponentOrder): Pick<Manifest['components'][number], 'options'> {
  if (isForced === undefined && activation === undefined) return {}
  return {
    options: {
      ...(isForced !== undefined && { force: isForced }),
      ...(activation !== undefined && { activation }),
    },
  }
}

/** The signatures of a manifest, by the names of their files. */
async function signaturesOf(
  content: Uint8Array,
  { sign, key }: ImageOrder,
): Promise<readonly (readonly [string, Uint8Array])[]> {
  return [
    ...(sign === undefined ? [] : [[CMS_NAME, await sign({ content })] as const]),
    ...(key === undefined
      ? []
      : [[SIGNATURE_NAME, signWithKey(formOf(key.pem), { signed: { content }, key: key.pem })] as const]),
  ]
}

function formOf(pem: string): NonNullable<Manifest['signature']>['form'] {
  const [form] = formsOf(createPublicKey(pem))
  if (form === undefined) throw new Error('the key is of a kind that signs nothing here')
  return form
}

async function digestOf(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

/** Changes every component that a manifest lists. */
function withComponents(
  change: (component: Manifest['components'][number]) => Partial<Manifest['components'][number]>,
): (right: Manifest) => Manifest {
  return (right) => ({
    ...right,
    components: right.components.map((component) => ({ ...component, ...change(component) })),
  })
}
