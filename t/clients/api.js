'use strict';

/*
 * A JSON API in front of which nginx is put: api.js PORT [ORIGIN].  With
 * ORIGIN it does its own CORS, as the package of that name does it.  It ends
 * with its standard input.
 */

const express = require('express');
const cors = require('cors');

const [port, origin] = process.argv.slice(2);
const app = express();
const notes = new Map();
let last = 0;

if (origin) {
    app.use(cors({
        origin: [origin], credentials: true,
        exposedHeaders: ['X-Total'],
        allowedHeaders: ['Content-Type', 'Authorization']
    }));
}

/* whatever the client calls it, as the binders of many frameworks do */

app.use(express.json({ type: () => true }));

app.get('/api/notes', (req, res) => {
    res.set('X-Total', notes.size).json([...notes.values()]);
});

app.post('/api/notes', (req, res) => {
    const note = Object.assign({}, req.body, { id: ++last });

    notes.set(String(last), note);
    res.status(201).location('/api/notes/' + last).json(note);
});

app.use('/api/notes/:id', (req, res, next) => {
    req.note = notes.get(req.params.id);

    if (req.note || req.method === 'OPTIONS') {
        return next();
    }

    res.status(404).json({ error: 'none' });
});

app.route('/api/notes/:id')
   .get((req, res) => res.set('X-Total', notes.size).json(req.note))
   .put((req, res) => {
       const note = Object.assign({}, req.body, { id: req.note.id });

       notes.set(req.params.id, note);
       res.json(note);
   })
   .delete((req, res) => {
       notes.delete(req.params.id);
       res.status(204).end();
   });

app.listen(+port, '127.0.0.1', () => console.log('ready'));

process.stdin.on('end', () => process.exit()).resume();
