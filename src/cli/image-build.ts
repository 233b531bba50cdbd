import { createWriteStream } from 'node:fs'
import { mkdtemp, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ImageBuilder, ImageOrder, Saying } from '../image/build/builder.ts'
import { type BuilderName, imageBuilders } from '../image/build/builders.ts'
import { bundleBuilder } from '../image/build/bundle.ts'
import { type BuildOptions, imageOrder } from './image-order.ts'

/** Writes the image that the command line asks for, whole or not at all. Throws an Error that says what cannot be built. */
export function buildImage(format: BuilderName, options: BuildOptions, file: string): Promise<void> {
  const order = imageOrder(options)
  refuseUnsaid(imageBuilders[format], order)
  return writeImage(imageBuilders[format], order, file)
}

/** What can be made wrong with images of a format, a line each. */
export function describeDefects(format: BuilderName): string {
  const { defects }: ImageBuilder = imageBuilders[format]
  const lines = Object.entries(defects).map(
    ([name, { what, messages }]) => `${name.padEnd(20)}${what}: ${messages.join(', ')}\n`,
  )
  return lines.join('')
}

/** Writes a bundle for these components, whole or not at all. */
export function writeBundle(components: ImageOrder['components'], file: string): Promise<void> {
  return writeImage(bundleBuilder, { components }, file)
}

/** Writes an image, whole or not at all. Throws an Error that says what cannot be built. */
async function writeImage(builder: ImageBuilder, order: ImageOrder, file: string): Promise<void> {
  if (order.components.length > builder.maxComponents)
    throw new Error(`an image of this format holds ${builder.maxComponents} component(s)`)
  const { needsSignature } = builder.defects[order.defect ?? ''] ?? {}
  if (needsSignature === true && order.sign === undefined && order.key === undefined)
    throw new Error(`the defect ${order.defect} needs a signature: give a --key`)
  await replaceFile(file, builder.build(order))
}

/** How the command line names what not every format can say. */
const flags: Readonly<Record<Saying, string>> = {
  machine: '--model',
  releaseDate: 'a release date',
  requires: '--requires',
  securityVersion: '--security-version',
  lowestVersion: '--lowest-version',
  isForced: '--force',
  activation: '--activation',
}

/** What an image of the format has no place for is refused: left out without a word, it would be missed much later. */
function refuseUnsaid({ signedBy, says, optionNames }: ImageBuilder, order: ImageOrder): void {
  if (order.key !== undefined && !signedBy.includes('key'))
    throw new Error(
      'images of this format are signed with a certificate: give the --certificate of the --key',
    )
  if (order.sign !== undefined && !signedBy.includes('certificate'))
    throw new Error('images of this format are signed by a key alone: leave out --certificate')
  const isAsked = (saying: Saying): boolean =>
    saying === 'machine'
      ? order.machine !== undefined
      : order.components.some((component) => component[saying] !== undefined)
  const unsaid = (Object.keys(flags) as Saying[]).find((saying) => isAsked(saying) && !says.includes(saying))
  if (unsaid !== undefined) throw new Error(`images of this format have no place for ${flags[unsaid]}`)
  const stranger = Object.keys(order.options ?? {}).find((name) => !optionNames.includes(name))
  if (stranger !== undefined)
    throw new Error(
      `images of this format have no option ${stranger}; they have ${optionNames.join(', ') || 'none'}`,
    )
}

/** Writes a file in a folder beside, and moves it to its place when it is whole. */
async function replaceFile(file: string, bytes: Readable): Promise<void> {
  const before = await stat(file).catch(() => undefined)
  // A pipe or a device is written to: a file in its place is not what was meant.
  if (before !== undefined && !before.isFile()) return pipeline(bytes, createWriteStream(file))
  const target = before === undefined ? file : await realpath(file)
  const folder = await mkdtemp(`${target}.`)
  try {
    const part = join(folder, basename(target))
    await pipeline(bytes, createWriteStream(part))
    await rename(part, target)
  } finally {
    await rm(folder, { recursive: true })
  }
}
