"""The one URL of the bare Django application."""

from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("orders/<int:number>", lambda request, number: HttpResponse("hello"))]
