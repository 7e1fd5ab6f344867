// A validator of its own: the `yaml` package reads each manifest, `ajv` holds it against the schema.
//   node validate.mjs PACKAGES SCHEMA FILE…
// writes one line of JSON a file: {file, problem} where it is not YAML, else {file, errors: [{path, message}]}.
import {createRequire} from "node:module";
import {readFileSync} from "node:fs";

const [packages, schema, ...files] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const Ajv = require("ajv/dist/2020").default;
const YAML = require("yaml");

// Words for editors alone (`patternErrorMessage`, `doNotSuggest`, …) are no keywords of JSON Schema.
const ajv = new Ajv({allErrors: true, strict: false});
const validate = ajv.compile(JSON.parse(readFileSync(schema, "utf8")));

for (const file of files) {
  let value;
  try {
    value = YAML.parse(readFileSync(file, "utf8"), {merge: true, maxAliasCount: 100});
  } catch (error) {
    console.log(JSON.stringify({file, problem: String(error.message).split("\n")[0]}));
    continue;
  }
  // A manifest with nothing in it declares a session of defaults.
  validate(value ?? {});
  const errors = (validate.errors ?? []).map(({instancePath, message}) => ({path: instancePath, message}));
  console.log(JSON.stringify({file, errors}));
}
