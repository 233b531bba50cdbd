import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { ImageBuilder, ImageOrder } from '../image/build/builder.ts'
import { type BuilderName, imageBuilders } from '../image/build/builders.ts'
import { bundleBuilder } from '../image/build/bundle.ts'
import { type BuildOptions, imageOrder } from './image-order.ts'

/** Writes the image that the command line asks for, whole or not at all. Throws an Error that says what cannot be built. */
export function buildImage(format: BuilderName, options: BuildOptions, file: string): Promise<void> {
  return writeImage(imageBuilders[format], imageOrder(options), file)
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
  const built = builder.build(order)
  try {
    await pipeline(built, createWriteStream(file))
  } catch (error) {
    await rm(file, { force: true })
    throw error
  }
}
