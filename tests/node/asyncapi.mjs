// What the official parser says of an AsyncAPI document: every finding, as JSON on stdout.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
const operations = document ? document.operations().all().map((each) => [each.id(), each.action()]) : null;
process.stdout.write(JSON.stringify({ operations, diagnostics }));
