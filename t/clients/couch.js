'use strict';

/*
 * A server that speaks CouchDB's protocol: couch.js PORT.  It ends with its
 * standard input.
 */

const PouchDB = require('pouchdb-core')
    .plugin(require('pouchdb-adapter-memory'))
    .plugin(require('pouchdb-mapreduce'))
    .plugin(require('pouchdb-replication'));

const app = require('express')();

app.use(require('express-pouchdb')(
    PouchDB.defaults({ adapter: 'memory' }),
    { mode: 'minimumForPouchDB', inMemoryConfig: true }));

app.listen(+process.argv[2], '127.0.0.1', () => console.log('ready'));

process.stdin.on('end', () => process.exit()).resume();
