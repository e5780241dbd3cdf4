# An API in Django REST framework, without anything for the module:
# django_api.py PORT.

import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=['*'], ROOT_URLCONF='__main__', SECRET_KEY='x',
    INSTALLED_APPS=['rest_framework'], USE_TZ=True, DEBUG=True,
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3',
                           'NAME': 'file:notes?mode=memory&cache=shared'}},
    REST_FRAMEWORK={'UNAUTHENTICATED_USER': None,
                    'DEFAULT_AUTHENTICATION_CLASSES': []})

import django

django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.urls import include, path
from rest_framework import routers, serializers, viewsets


class Note(models.Model):
    text = models.TextField()
    done = models.BooleanField(default=False)

    class Meta:
        app_label = 'notes'


class NoteSerializer(serializers.ModelSerializer):
    class Meta:
        model = Note
        fields = ['id', 'text', 'done']


class NoteViewSet(viewsets.ModelViewSet):
    queryset = Note.objects.all()
    serializer_class = NoteSerializer


router = routers.DefaultRouter()
router.register('notes', NoteViewSet)
urlpatterns = [path('', include(router.urls))]

with connection.schema_editor() as editor:
    editor.create_model(Note)

Note.objects.create(text='milk')
WSGIRequestHandler.log_message = lambda *args: None
make_server('127.0.0.1', int(sys.argv[1]),
            get_wsgi_application()).serve_forever()
